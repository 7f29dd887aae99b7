// Powers of numbers, by which a local response normalisation divides.
import CSystem

func fillPower(_ table: UnsafeMutablePointer<sasuka_kernel_table>) {
  table.pointee.narrow.scale_by_power = { power, x, sums, result, count in
    let p = power!.pointee
    // -1 for an exponent that is no small multiple of a quarter.
    let fourfold = 4 * p.exponent
    let quarters = fourfold >= 0 && fourfold <= 8 && fourfold == Float(Int(fourfold)) ? Int(fourfold) : -1
    withWholeVectors(x!, sums!, result!, count) { x, sums, result, count in
      mapWholePairs(x, sums, result, count) { x, sum in
        let base = p.constant + p.slope * sum
        return p.factor * x / (quarters < 0 ? raised(base, p.exponent) : raised(base, quarters: quarters))
      }
    }
  }
}

/// base^(quarters / 4).
@inline(__always)
private func raised(_ base: Vector, quarters: Int) -> Vector {
  var power = Vector(repeating: 1)
  if quarters & 3 != 0 {
    let root = squareRoot(base)
    if quarters & 1 != 0 { power = squareRoot(root) }
    if quarters & 2 != 0 { power *= root }
  }
  if quarters >= 4 { power *= base }
  return quarters == 8 ? power * base : power
}

/// The power that the C library finds for each lane.
@inline(never)
private func raised(_ base: Vector, _ exponent: Float) -> Vector {
  var power = base
  for lane in 0..<lanes { power[lane] = powf(base[lane], exponent) }
  return power
}
