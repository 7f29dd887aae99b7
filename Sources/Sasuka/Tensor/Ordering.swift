/// The places 0 to `count - 1` in ascending order; equal ones stay as they were. A merge sort.
///
/// One routine over places serves every type: Swift's own sort is compiled anew, 8 KB of code, for each.
package func ascendingPlaces(_ count: Int, _ precedes: (Int, Int) -> Bool) -> [Int] {
  var places = [Int](0..<max(count, 0))
  var merged = places
  var width = 1
  while width < count {
    var start = 0
    while start < count {
      let (middle, end) = (min(start + width, count), min(start + 2 * width, count))
      var (left, right) = (start, middle)
      for place in start..<end {
        let takesRight = right < end && (left >= middle || precedes(places[right], places[left]))
        merged[place] = places[takesRight ? right : left]
        if takesRight { right += 1 } else { left += 1 }
      }
      start = end
    }
    swap(&places, &merged)
    width *= 2
  }
  return places
}
