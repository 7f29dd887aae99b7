// A worker that wakes where its caller runs leaves that processor and may use it afterwards.
import CSystem
import Testing

@Suite struct ProcessorTests {
  /// The processors that the calling thread may use, as bits.
  private static var allowed: [UInt8] {
    var set = cpu_set_t()
    guard sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &set) == 0 else { return [] }
    return withUnsafeBytes(of: set) { Array($0) }
  }

  private static var count: Int { allowed.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// Whether a thread is elsewhere behind a call. It may be moved for other reasons before or after it, but not each time.
  private static func leaves(workers: Int32) -> Bool {
    for _ in 0..<100 {
      let processor = sched_getcpu()
      sasuka_leave_processor(processor, workers)
      if sched_getcpu() != processor { return true }
    }
    return false
  }

  @Test func aThreadLeavesWhereThereIsAnotherProcessorForEachWorker() {
    let before = ProcessorTests.allowed
    #expect(ProcessorTests.leaves(workers: 1) == (ProcessorTests.count > 1))
    #expect(ProcessorTests.allowed == before)
  }

  @Test func aThreadStaysWhereOthersAreTooFewOrItIsNotOnThatProcessor() {
    let (before, count) = (ProcessorTests.allowed, Int32(ProcessorTests.count))
    var stayed = false
    // The system may move it at any time.
    for _ in 0..<100 where !stayed {
      let processor = sched_getcpu()
      sasuka_leave_processor(processor, count)
      sasuka_leave_processor(-1, 1)
      sasuka_leave_processor(processor == 0 ? 1 : 0, 1)
      stayed = sched_getcpu() == processor
    }
    #expect(stayed)
    #expect(ProcessorTests.allowed == before)
  }
}
