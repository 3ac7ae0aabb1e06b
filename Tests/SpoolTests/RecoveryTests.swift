import Glibc
import Synchronization
import Testing

@testable import Posix
@testable import Spool

/// Every change of the file system is a place to be killed at: the calls from one on fail, and the next start must make up
/// for it.
@Suite struct RecoveryTests {
    /// Does with a spool what a daemon does, until the inbox is empty and every job published.
    private func serve(_ bench: Bench) throws {
        let spool = try bench.open()
        for job in try spool.recover() { try finish(job, spool) }
        for name in try spool.inbox.scan().ready {
            if let job = try spool.take(name) { try finish(job, spool) }
        }
    }

    private func finish(_ job: SpooledJob, _ spool: Spool) throws {
        if !job.folder.isFinished {
            if job.id == "poison" {
                try spool.fail(job, Problem(code: "crashed", message: "three times", place: "worker"))
                return
            }
            try job.folder.recordStart()
            try Bench.work(job)
        }
        try spool.publish(job)
    }

    /// What a visitor of the outbox sees.
    private func published(_ bench: Bench) throws -> [String: String] {
        var files: [String: String] = [:]
        for name in bench.results {
            // The digest of what may not be read depends on the inode.
            for file in try Files.list("\(bench.folders.outbox)/\(name)") where file != ".digest" {
                files["\(name)/\(file)"] = bench.text("outbox/\(name)/\(file)") ?? "folder"
            }
        }
        return files
    }

    private func dropAll(_ bench: Bench) throws {
        try bench.drop("id good", as: "1.json")
        try bench.drop("id good", as: "2.json")
        try bench.drop("id good but another", as: "3.json")
        try bench.drop("nonsense", as: "4.json")
        try bench.dropFolder(["manifest.json": "id poison", "history": "words"], as: "5")
        try bench.dropFolder(["manifest.json": "job", "history": "words"], as: "6")
        try bench.dropFolder([:], as: "7")
    }

    /// The calls that were let through before the stop, and whether it came.
    private final class Stop: Sendable {
        private let left: Atomic<Int>
        private let isFinal: Bool

        init(after calls: Int, isFinal: Bool) {
            left = Atomic(calls)
            self.isFinal = isFinal
        }

        func fault(_ call: String, _ path: String) -> PosixError? {
            let before = left.wrappingSubtract(1, ordering: .relaxed).oldValue
            return before > 0 || !isFinal && before < 0 ? nil : PosixError(call: call, path: path, errno: EIO)
        }

        var hasCome: Bool { left.load(ordering: .relaxed) < 0 }
    }

    /// A final stop is a kill; one that is not is a disk that fails once, so that what follows in the same process counts.
    @Test(arguments: [true, false]) func aStopAtAnyCallLosesNothing(isFinal: Bool) throws {
        let undisturbed = try Bench()
        try dropAll(undisturbed)
        try serve(undisturbed)
        let expected = try published(undisturbed)
        #expect(Set(expected.keys.map { $0.prefix { $0 != "/" && $0 != "." } }) == ["good", "4", "poison", "6", "7"])

        var calls = 0
        while true {
            let bench = try Bench()
            try dropAll(bench)
            let stop = Stop(after: calls, isFinal: isFinal)
            let fault: @Sendable (String, String) -> PosixError? = { stop.fault($0, $1) }
            Files.$fault.withValue(fault) { try? serve(bench) }
            if !stop.hasCome { break }
            try serve(bench)
            #expect(try published(bench) == expected, "after a stop at call \(calls)")
            #expect(bench.entries == [], "after a stop at call \(calls)")
            #expect(try Files.list(bench.folders.inbox) == [], "after a stop at call \(calls)")
            calls += 1
        }
        #expect(calls > 100)
    }

    @Test func aJobHasExactlyOneNameAtEveryCall() throws {
        let bench = try Bench()
        try bench.drop("id good", as: "1.json")
        let path = bench.path
        let sightings = Mutex<[Int]>([])
        let look: @Sendable (String, String) -> PosixError? = { _, _ in
            func manifests(_ folder: String) -> Int {
                ((try? Files.list(folder)) ?? []).reduce(0) { count, name in
                    let inner = "\(folder)/\(name)"
                    if name.hasSuffix(".tmp") { return count }
                    if (try? Files.status(inner))?.kind == .directory { return count + manifests(inner) }
                    let bytes = (try? Files.read(inner, limit: 100)) ?? []
                    return count + (bytes == Array("id good".utf8) ? 1 : 0)
                }
            }
            let count = manifests(path) + (Files.exists("\(path)/outbox/good") ? 1 : 0)
            sightings.withLock { $0.append(count) }
            return nil
        }
        try Files.$fault.withValue(look) { try serve(bench) }
        // With the result out, the manifest is still there until the job's folder goes.
        let seen = sightings.withLock { $0 }
        #expect(seen.prefix { $0 == 1 }.count > 20 && seen.allSatisfy { (1...2).contains($0) } && seen.last == 1)
    }

    @Test func claimedJobsComeBackInOrder() throws {
        let bench = try Bench()
        try { () throws in
            let spool = try bench.open()
            for name in ["c", "a", "b"] {
                try bench.drop("id \(name)", as: "x.json")
                _ = try spool.take("x.json")
            }
        }()
        let spool = try bench.open()
        #expect(try spool.recover().map(\.id) == ["c", "a", "b"])
        #expect(try spool.recover() == [])
    }

    @Test func attemptsAreHeldAgainstAJobUntilItGetsOn() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id a", as: "a.json")
        let folder = try #require(try spool.take("a.json")).folder
        for crashes in 0..<3 {
            #expect(!folder.attempts.areExhausted(limit: 3))
            #expect(folder.attempts.crashes == crashes)
            try folder.prepare()
            try folder.recordStart()
            try folder.recordCrash()
        }
        #expect(folder.attempts == Attempts(started: 3, crashes: 3, unwitnessed: 0))
        #expect(folder.attempts.areExhausted(limit: 3))
        try Files.append([1], to: "\(folder.journal)/evaluations")
        #expect(folder.attempts == Attempts(started: 3, crashes: 0, unwitnessed: 0))
        for _ in 0..<11 { try folder.recordStart() }
        #expect(!folder.attempts.areExhausted(limit: 3))
        try folder.recordStop()
        #expect(folder.attempts.unwitnessed == 10)
        for _ in 0..<2 { try folder.recordStart() }
        #expect(folder.attempts.areExhausted(limit: 3))
    }

    @Test func attemptsMayBeTorn() {
        let text = "start 0\ncrash 0\nstart 5\nstart 5\nsta\nwhat 1\nstart x\ncrash 5"
        #expect(Attempts.counted(text, progress: 5) == Attempts(started: 3, crashes: 1, unwitnessed: 1))
        #expect(Attempts.counted("", progress: 0) == Attempts())
    }
}
