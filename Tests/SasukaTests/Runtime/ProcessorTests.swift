// A worker that wakes where its caller runs leaves that processor and may use it afterwards.
import CSystem
import Testing

@Suite struct ProcessorTests {
  /// The processors that the calling thread may use, as bits, and how many.
  private static var allowed: (bits: [UInt64], count: Int) {
    var words = [UInt64](repeating: .max, count: Int(SASUKA_PROCESSOR_WORDS))
    let count = sasuka_allowed_processors(&words)
    return (words, Int(count))
  }

  /// Whether a thread is elsewhere behind a call. It may be moved for other reasons before or after it, but not each time.
  private static func leaves(workers: Int32) -> Bool {
    for _ in 0..<100 {
      let processor = sasuka_processor()
      sasuka_leave_processor(processor, workers)
      if sasuka_processor() != processor { return true }
    }
    return false
  }

  @Test func aThreadLeavesWhereThereIsAnotherProcessorForEachWorker() {
    let before = ProcessorTests.allowed
    #expect(ProcessorTests.leaves(workers: 1) == (before.count > 1))
    #expect(ProcessorTests.allowed.bits == before.bits)
  }

  @Test func aThreadStaysWhereOthersAreTooFewOrItIsNotOnThatProcessor() {
    let before = ProcessorTests.allowed
    var stayed = false
    // The system may move it at any time.
    for _ in 0..<100 where !stayed {
      let processor = sasuka_processor()
      sasuka_leave_processor(processor, Int32(before.count))
      sasuka_leave_processor(-1, 1)
      sasuka_leave_processor(processor == 0 ? 1 : 0, 1)
      stayed = sasuka_processor() == processor
    }
    #expect(stayed)
    #expect(ProcessorTests.allowed.bits == before.bits)
  }
}
