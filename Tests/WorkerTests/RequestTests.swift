import Glibc
import Spool
import Synchronization
import Testing

@testable import Posix
@testable import Worker

/// What operators ask for, and what becomes of a job that ends before its worker has a result.
@Suite struct RequestTests {
    /// From when `tried` is there.
    private static let stoppable = "trap 'exit 75' TERM; touch $folder/../../tried; while :; do sleep 0.01; done"

    private static func ask(_ command: Request.Command, _ id: String, _ folders: Spool.Folders) {
        _ = try? Request(command, JobID(id)!, of: folders)
    }

    @Test func targetsArePublishedWhileTheJobGoesOn() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        let worker = """
            out=$folder/../../outbox/a
            finish u1
            say '{"progress":{"targets":2,"finished":1,"stage":"select"}}'
            until [ -d $out/u1 ]; do sleep 0.01; done
            [ -e $out/result.json ] && exit 1
            finish u2
            seal
            """
        try bench.serve(worker)
        #expect(try Files.list("\(bench.folders.outbox)/a") == [".digest", "result.json", "u1", "u2"])
        #expect(bench.names.filter { $0 == "targets-published" }.count == 1)
    }

    @Test func aJobIsHeldReleasedAndAnotherCancelled() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        for id in ["a", "b"] { try bench.drop(id) }
        let (folders, path) = (bench.folders, bench.path)
        let isFirst = Atomic(true)
        bench.when("attempt-started") {
            guard isFirst.exchange(false, ordering: .relaxed) else { return }
            while !Files.exists("\(path)/tried") { usleep(1000) }
            Self.ask(.hold, "b", folders)
            Self.ask(.cancel, "a", folders)
        }
        // While b is held nothing runs: only its release lets the daemon end.
        let isHeld = Atomic(true)
        bench.when("job-published") {
            if isHeld.exchange(false, ordering: .relaxed) { Self.ask(.release, "b", folders) }
        }
        try bench.serve("[ $id = a ] && { finish u1; \(Self.stoppable); }; seal")
        #expect(bench.results == ["a", "b"] && bench.result("b").contains("done"))
        #expect(bench.result("a").contains(#""status" : "cancelled""#) && bench.result("a").contains("u1"))
        #expect(try Files.list("\(bench.folders.outbox)/a") == [".digest", "result.json", "u1"])
        #expect(bench.names.filter { $0 == "request-answered" }.count == 3)
        // What was cancelled is kept, and goes on from there.
        Self.ask(.retry, "a", folders)
        try bench.serve("finish u2; seal")
        #expect(bench.result("a").contains("done"))
        #expect(try Files.list("\(bench.folders.outbox)/a") == [".digest", "result.json", "u1", "u2"])
        #expect(try Files.list(bench.folders.kept) == [])
    }

    @Test func aHeldJobStaysHeldAcrossRestarts() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        let (folders, signals) = (bench.folders, bench.signals)
        let isFirst = Atomic(true)
        bench.when("attempt-started") {
            guard isFirst.exchange(false, ordering: .relaxed) else { return }
            usleep(100_000)
            Self.ask(.hold, "a", folders)
        }
        bench.when("attempt-failed") { Issue.record("a hold costs no attempt") }
        // The second time the job is held from the start, so that its release comes first.
        let stop: @Sendable () -> Void = { try? signals.announce(SIGTERM) }
        bench.when("request-answered", stop)
        try bench.serve(Self.stoppable, once: false)
        bench.when("request-answered") {}
        bench.when("service-ready", stop)
        try bench.serve("seal", once: false)
        #expect(bench.results == [] && bench.names.filter { $0 == "attempt-started" }.count == 1)
        bench.when("service-ready") { Self.ask(.release, "a", folders) }
        try bench.serve("seal")
        #expect(bench.result("a").contains("done"))
    }

    /// A hold that is taken back while the worker still comes to its end holds nothing.
    @Test func aHoldCanBeTakenBackWhileTheJobRuns() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        let (folders, path) = (bench.folders, bench.path)
        let answers = Atomic(0)
        let isFirst = Atomic(true)
        bench.when("attempt-started") {
            guard isFirst.exchange(false, ordering: .relaxed) else { return }
            // It does not stop at once.
            while !Files.exists("\(path)/tried") { usleep(1000) }
            Self.ask(.hold, "a", folders)
        }
        bench.when("request-answered") {
            switch answers.add(1, ordering: .relaxed).newValue {
            case 1: Self.ask(.release, "a", folders)
            default: try? Files.writeAtomically([], to: "\(path)/released")
            }
        }
        try bench.serve(
            """
            base=$folder/../..
            [ -e $base/tried ] && { seal; exit 0; }
            trap : TERM; touch $base/tried
            until [ -e $base/released ]; do sleep 0.01; done
            exit 75
            """)
        #expect(bench.result("a").contains("done"))
        #expect(answers.load(ordering: .relaxed) == 2)
    }

    /// An end that was promised is not turned into a hold.
    @Test func aCancelledJobIsNotHeld() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        let (folders, path) = (bench.folders, bench.path)
        let answers = Atomic(0)
        bench.when("attempt-started") {
            while !Files.exists("\(path)/tried") { usleep(1000) }
            Self.ask(.cancel, "a", folders)
        }
        bench.when("request-answered") {
            switch answers.add(1, ordering: .relaxed).newValue {
            case 1: Self.ask(.hold, "a", folders)
            default: try? Files.writeAtomically([], to: "\(path)/answered")
            }
        }
        try bench.serve(
            """
            base=$folder/../..
            trap : TERM; touch $base/tried
            until [ -e $base/answered ]; do sleep 0.01; done
            exit 75
            """)
        #expect(bench.result("a").contains("cancelled"))
    }

    /// The disk takes no result of a job that waits; when it does again, the job ends as was asked for.
    @Test func aCancelledJobEndsAfterAStopInBetween() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        let (folders, path, signals) = (bench.folders, bench.path, bench.signals)
        bench.when("attempt-started") {
            while !Files.exists("\(path)/tried") { usleep(1000) }
            Self.ask(.hold, "a", folders)
        }
        bench.when("request-answered") { try? signals.announce(SIGTERM) }
        try bench.serve(Self.stoppable, once: false)
        bench.when("service-ready") { Self.ask(.cancel, "a", folders) }
        try Files.$fault.withValue({ call, path in
            path.contains("/result") ? PosixError(call: call, path: path, errno: ENOSPC) : nil
        }) {
            try bench.serve("seal", once: false)
        }
        #expect(bench.results == [])
        // A job that was held only would go on now.
        bench.when("service-ready") { Self.ask(.release, "a", folders) }
        try bench.serve("seal")
        #expect(bench.result("a").contains("cancelled"))
        #expect(bench.names.filter { $0 == "attempt-started" }.count == 1)
    }

    @Test func whatCannotBeDoneIsAnsweredSo() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        let folders = bench.folders
        try bench.serve()
        var requests: [Request] = []
        for command in Request.Command.allCases { requests.append(try Request(command, JobID("a")!, of: folders)) }
        try bench.serve()
        #expect(requests.map { $0.answer(in: folders) } == [.unknown, .unknown, .unknown, .unknown])
        #expect(try Files.list(folders.requests) == [])
    }

    /// A retry of what is as mistaken as before is told from one of a job that there is not.
    @Test func whatIsRejectedOnceMoreIsAnsweredSo() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try Files.writeAtomically(Array("no job".utf8), to: "\(bench.folders.inbox)/mistaken.json")
        try bench.serve()
        #expect(bench.result("mistaken").contains("rejected"))
        let request = try Request(.retry, JobID("mistaken")!, of: bench.folders)
        try bench.serve()
        #expect(request.answer(in: bench.folders) == .refused)
    }

    @Test func aJobThatTakesTooLongEndsWithWhatItHas() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        bench.options.jobSeconds = 0.4
        let path = bench.path
        // The daemon asks it to stop when it can, however late that is.
        bench.when("attempt-started") { while !Files.exists("\(path)/tried") { usleep(1000) } }
        try bench.serve("finish u1; \(Self.stoppable)")
        #expect(bench.result("a").contains("time-limit") && bench.result("a").contains("u1"))
        #expect(try Files.list("\(bench.folders.outbox)/a") == [".digest", "result.json", "u1"])
        #expect(bench.names.filter { $0 == "attempt-started" }.count == 1)
    }

    /// To hold it, to cancel it, to drain: in the middle of a batch, which is not to be lost.
    @Test func aWorkerMayBeAskedToStopTwice() throws {
        let stop = try StopRequest(isOnce: false)
        for _ in 0..<2 {
            raise(SIGTERM)
            #expect(stop.check())
        }
    }

    /// A batch may take long, and nothing interrupts it.
    @Test func aJobThatDoesNotStopInTimeIsKilled() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        bench.options.jobSeconds = 0.2
        bench.options.stopSeconds = 0.2
        let path = bench.path
        bench.when("attempt-started") { while !Files.exists("\(path)/tried") { usleep(1000) } }
        try bench.serve("finish u1; trap '' TERM; touch $folder/../../tried; while :; do sleep 0.01; done")
        #expect(bench.result("a").contains("time-limit") && bench.result("a").contains("u1"))
    }

    /// Time counts over all tries: each of these takes 0.3 s and ends as if it might be mended.
    @Test func timeCountsOverAllTries() throws {
        let bench = try ServiceBench()
        defer { bench.remove() }
        try bench.drop("a")
        bench.options.jobSeconds = 1.5
        bench.limits.crashes = 100
        try bench.serve("trap 'exit 75' TERM; sleep 0.3; exit 1")
        #expect(bench.result("a").contains("time-limit"))
        #expect((2...5).contains(bench.names.filter { $0 == "attempt-started" }.count))
    }
}
