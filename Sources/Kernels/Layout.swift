// Copies between the row-major and the blocked layout, one channel block at a time.
import CSystem

func fillLayout(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.layout_block = { plain, blocked, channels, area in
    for channel in 0..<channels {
      let row = plain! + channel * area
      for pixel in 0..<area { blocked![pixel * Vector.scalarCount + channel] = row[pixel] }
    }
    for channel in channels..<Vector.scalarCount {
      for pixel in 0..<area { blocked![pixel * Vector.scalarCount + channel] = 0 }
    }
  }
  table.pointee.layout_unblock = { blocked, plain, channels, area in
    for channel in 0..<channels {
      let row = plain! + channel * area
      for pixel in 0..<area { row[pixel] = blocked![pixel * Vector.scalarCount + channel] }
    }
  }
}
