import Testing

@testable import Queue

@Suite struct JobQueueTests {
    private func queue(_ jobs: [(String, String, Int)], capacity: Int = 100) -> JobQueue {
        var policy = JobQueue.Policy()
        policy.capacity = capacity
        var queue = JobQueue(policy)
        for (id, submitter, priority) in jobs {
            queue.add(JobQueue.Job(id: id, submitter: submitter, priority: priority), at: 0)
        }
        return queue
    }

    /// The ids in the order in which they run, one at a time.
    private func order(_ queue: JobQueue, at time: Double = 0) -> [String] {
        var queue = queue
        var ids: [String] = []
        while let job = queue.next(at: time) {
            ids.append(job.id)
            queue.finish(job.id)
        }
        return ids
    }

    @Test func oneSubmittersJobsRunInOrder() {
        #expect(order(queue([("c", "x", 0), ("a", "x", 0), ("b", "x", 0)])) == ["c", "a", "b"])
    }

    @Test func submittersTakeTurns() {
        let jobs = [("a1", "a", 0), ("a2", "a", 0), ("a3", "a", 0), ("b1", "b", 0), ("c1", "c", 0), ("b2", "b", 0)]
        #expect(order(queue(jobs)) == ["a1", "b1", "c1", "a2", "b2", "a3"])
    }

    @Test func whoHasFewerRunningIsFirst() {
        var queue = queue([("a1", "a", 0), ("a2", "a", 0), ("b1", "b", 0), ("b2", "b", 0)])
        #expect(queue.next(at: 0)?.id == "a1")
        #expect(queue.next(at: 0)?.id == "b1")
        queue.finish("b1")
        #expect(queue.next(at: 0)?.id == "b2")
        #expect(queue.runningCount == 2)
    }

    @Test func urgentJobsPassAndOldOnesCatchUp() {
        var queue = queue([("old", "a", 0)])
        queue.add(JobQueue.Job(id: "urgent", submitter: "b", priority: 2), at: 900)
        #expect(order(queue, at: 900) == ["urgent", "old"])
        queue.add(JobQueue.Job(id: "late", submitter: "c", priority: 2), at: 9000)
        #expect(order(queue, at: 9000) == ["old", "urgent", "late"])
        #expect(JobQueue.Job(id: "x", submitter: "x", priority: .max).priority == 1000)
    }

    @Test func theQueueIsBounded() {
        var queue = queue([("a", "x", 0), ("b", "x", 0)], capacity: 2)
        #expect(queue.room == 0)
        let isNew = ["a", "c"].map { queue.add(JobQueue.Job(id: $0, submitter: "x"), at: 0) }
        // What was claimed before is not turned away.
        #expect(isNew == [false, true])
        #expect(queue.room == 0)
        for id in ["a", "b"] { queue.finish(id) }
        #expect(queue.room == 1)
    }

    @Test func anOwnerWhoMakesUpSubmittersHasNoMoreTurns() {
        var queue = JobQueue()
        for n in 1...3 {
            queue.add(JobQueue.Job(id: "a\(n)", owner: 1, submitter: "name\(n)"), at: 0)
        }
        for n in 1...3 { queue.add(JobQueue.Job(id: "b\(n)", owner: 2, submitter: "shop"), at: 1) }
        #expect(order(queue, at: 2) == ["a1", "b1", "a2", "b2", "a3", "b3"])
    }

    @Test func whoseManyJobsAreOlderHasNoMoreTurns() {
        var queue = JobQueue()
        for n in 1...5 { queue.add(JobQueue.Job(id: "a\(n)", owner: 1, submitter: "a"), at: 0) }
        for n in 1...2 { queue.add(JobQueue.Job(id: "b\(n)", owner: 2, submitter: "b"), at: 10_000) }
        #expect(order(queue, at: 10_000) == ["a1", "b1", "a2", "b2", "a3", "a4", "a5"])
    }

    @Test func retriesWaitLongerEachTimeUpToALimit() {
        var queue = queue([("a", "x", 0)])
        var time = 0.0
        for failures in 1...12 {
            #expect(queue.next(at: time)?.id == "a")
            let delay = queue.retry("a", at: time)
            var full = 15.0
            for _ in 1..<failures { full = min(3600, 2 * full) }
            #expect((full / 2..<full).contains(delay))
            #expect(queue["a"]?.state == .coolingOff(until: time + delay))
            #expect(queue.nextRetry == time + delay)
            #expect(queue.next(at: time + delay - 0.01) == nil)
            time += delay
        }
    }

    @Test func aRetryWaitsAtLeastAsAsked() {
        var policy = JobQueue.Policy()
        policy.firstRetry = 0
        var queue = JobQueue(policy)
        queue.add(JobQueue.Job(id: "a", submitter: "x"), at: 0)
        #expect(queue.next(at: 0)?.id == "a")
        #expect(queue.retry("a", at: 0, least: 1) == 1 && queue.next(at: 0.9) == nil)
        #expect(queue.next(at: 1)?.id == "a" && queue.retry("a", at: 1) == 0)
    }

    /// A job that got on since it last failed waits as after its first failure.
    @Test func aJobThatGetsOnWaitsNoLongerThanBefore() {
        var queue = JobQueue()
        queue.add(JobQueue.Job(id: "a", submitter: "x"), at: 0)
        #expect((60...120).contains(queue.retry("a", failures: 4, at: 0)))
        #expect((7.5...15).contains(queue.retry("a", failures: 1, at: 0)))
        #expect(queue["a"]?.failures == 1)
    }

    @Test func retriesSpreadByTheSeed() {
        func delays(seed: UInt64) -> [Double] {
            var policy = JobQueue.Policy()
            policy.seed = seed
            var queue = JobQueue(policy)
            return (0..<8).map { index in
                queue.add(JobQueue.Job(id: "\(index)", submitter: "x"), at: 0)
                return queue.retry("\(index)", at: 0)
            }
        }
        #expect(delays(seed: 1) == delays(seed: 1))
        #expect(delays(seed: 1) != delays(seed: 2))
        #expect(Set(delays(seed: 1)).count == 8)
    }

    @Test func retriesAndNewJobsAlternate() {
        var queue = queue([("r1", "x", 0), ("r2", "x", 0), ("n1", "x", 0), ("n2", "x", 0)])
        for id in ["r1", "r2"] {
            #expect(queue.next(at: 0)?.id == id)
            _ = queue.retry(id, at: 0)
        }
        #expect(order(queue, at: 100) == ["r1", "n1", "r2", "n2"])
    }

    /// Whoever else has jobs, and of whichever kind.
    @Test(arguments: [true, false]) func retriesAndNewJobsOfEachSubmitterAlternate(othersRetry: Bool) {
        var queue = JobQueue()
        func add(_ ids: [String], _ submitter: String, isRetry: Bool) {
            for id in ids {
                queue.add(JobQueue.Job(id: id, submitter: submitter), at: 0)
                guard isRetry else { continue }
                #expect(queue.next(at: 0)?.id == id)
                _ = queue.retry(id, at: 0)
            }
        }
        add(["r1", "r2"], "x", isRetry: true)
        add(["y1", "y2", "y3", "y4"], "y", isRetry: othersRetry)
        add(["n1", "n2"], "x", isRetry: false)
        #expect(order(queue, at: 100).filter { !$0.hasPrefix("y") } == ["r1", "n1", "r2", "n2"])
    }

    @Test func aJobPutBackKeepsItsPlace() {
        var queue = queue([("a", "x", 0), ("b", "x", 0)])
        #expect(queue.next(at: 0)?.id == "a")
        queue.putBack("a")
        #expect(queue["a"]?.state == .waiting && queue["a"]?.failures == 0)
        #expect(order(queue) == ["a", "b"])
    }

    @Test func aHeldJobDoesNotRun() {
        var queue = queue([("a", "x", 0), ("b", "x", 0)])
        queue.hold("a", .byOperator)
        #expect(queue["a"]?.state == .held(.byOperator))
        #expect(order(queue) == ["b"])
        queue.release("a")
        queue.release("b")
        #expect(order(queue) == ["a", "b"])
    }

    @Test func unknownJobsAreIgnored() {
        var queue = queue([("a", "x", 0)])
        let before = queue
        queue.finish("z")
        queue.putBack("z")
        queue.hold("z", .byOperator)
        queue.release("z")
        #expect(queue.retry("z", at: 0) == 0)
        #expect(queue == before)
        #expect(queue["z"] == nil && queue.nextRetry == nil)
    }

    /// Whatever happens, everything that came in comes out once.
    @Test(arguments: 0..<20) func nothingIsLost(seed: UInt64) {
        var random = Steps(state: seed &* 7919 &+ 1)
        var policy = JobQueue.Policy()
        policy.capacity = 20
        policy.seed = seed
        var queue = JobQueue(policy)
        var (time, added) = (0.0, 0)
        var finished: Set<String> = []
        var running: [String] = []
        while finished.count < 200 {
            time += Double(random.next(below: 10))
            if added < 200 && queue.room > 0 {
                let job = JobQueue.Job(
                    id: "\(added)", submitter: "\(random.next(below: 4))", priority: random.next(below: 3))
                queue.add(job, at: time)
                added += 1
            }
            if running.count < 3, let job = queue.next(at: time) {
                #expect(!running.contains(job.id))
                running.append(job.id)
            }
            #expect(queue.runningCount == running.count && queue.entries.count <= 20)
            if !running.isEmpty {
                let id = running.remove(at: random.next(below: running.count))
                switch random.next(below: 3) {
                case 0: _ = queue.retry(id, at: time)
                case 1: queue.putBack(id)
                default:
                    queue.finish(id)
                    #expect(finished.insert(id).inserted)
                }
            }
            if queue.runningCount == 0, let retry = queue.nextRetry { time = max(time, retry) }
        }
        #expect(queue.entries.isEmpty)
    }
}

/// A small generator for tests.
private struct Steps {
    var state: UInt64

    mutating func next(below bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }
}

extension JobQueue {
    fileprivate var runningCount: Int { entries.count { $0.isRunning } }
}
