// Work is divided among threads that spin, sleep and are woken: each unit is done once, whatever its workers did before.
import CSystem
import Foundation
import Sasuka
import Testing

@Suite struct ThreadPoolTests {
  /// How often each unit was done, and by which worker.
  private final class Record {
    let counts: UnsafeMutablePointer<Int32>
    let workers: UnsafeMutablePointer<Int32>
    private let size: Int

    init(units: Int) {
      size = units
      counts = .allocate(capacity: units + 1)
      workers = .allocate(capacity: units + 1)
      counts.initialize(repeating: 0, count: units + 1)
      workers.initialize(repeating: -1, count: units + 1)
    }

    deinit {
      counts.deallocate()
      workers.deallocate()
    }

    /// Work that keeps this record; no unit is two workers' at a time.
    var work: DividedWork {
      let (counts, workers) = (counts, workers)
      return DividedWork { units, worker in
        for unit in units {
          counts[unit] += 1
          workers[unit] = Int32(worker)
        }
      }
    }

    func everyUnit(was count: Int) -> Bool { (0..<size).allSatisfy { counts[$0] == count } }
  }

  @Test(arguments: [1, 2, 3, 8], [0, 1, 2, 3, 7, 8, 9, 1000])
  func everyUnitIsDoneOnceInEqualContiguousShares(threads: Int, units: Int) {
    let (pool, record) = (ThreadPool(threads: threads), Record(units: units))
    pool.assemble()
    pool.run(units: units, record.work)
    #expect(record.everyUnit(was: 1))
    guard units > 1 else { return }
    for unit in 0..<units {
      let share = (0..<threads).first { (units * $0 / threads..<units * ($0 + 1) / threads).contains(unit) }
      #expect(Int(record.workers[unit]) == share)
    }
  }

  @Test func whoIsNotAssembledLeavesAllToTheCaller() {
    let record = Record(units: 9)
    ThreadPool(threads: 4).run(units: 9, record.work)
    #expect(record.everyUnit(was: 1))
    #expect((0..<9).allSatisfy { record.workers[$0] == 0 })
  }

  /// Pauses about as long as workers spin: they are about to sleep, asleep, or have just been woken; and more threads than
  /// processors, so that each of them is interrupted anywhere.
  @Test(arguments: [1, 8], [2, 3, 5])
  func workersAreThereHoweverLongTheyHaveWaited(pools: Int, threads: Int) {
    let rounds = 4000 / pools
    DispatchQueue.concurrentPerform(iterations: pools) { place in
      let (pool, record) = (ThreadPool(threads: threads), Record(units: 2 * threads))
      let work = record.work
      pool.assemble()
      for round in 0..<rounds {
        let end = sasuka_nanoseconds() + UInt64((round + 25 * place) % 200) * 1000
        while sasuka_nanoseconds() < end { sasuka_pause() }
        pool.run(units: 2 * threads, work)
      }
      #expect(record.everyUnit(was: rounds))
    }
  }

  @Test func hostsThreadsDoTheirSharesInAnyOrder() {
    let backwards: ThreadPool.HostParallelFor = { count, body, context, _ in
      for index in (-1...count).reversed() { body?(context, index) }
    }
    let (pool, record) = (ThreadPool(threads: 3, host: (backwards, nil)), Record(units: 10))
    pool.assemble()
    pool.run(units: 10, record.work)
    #expect(record.everyUnit(was: 1))
    #expect(Set((0..<10).map { record.workers[$0] }) == [0, 1, 2])
  }
}
