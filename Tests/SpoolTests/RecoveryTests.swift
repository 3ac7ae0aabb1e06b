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
        for job in try spool.recover().jobs { try finish(job, spool) }
        for name in try spool.inbox.scan().ready {
            if let job = try spool.take(name) { try finish(job, spool) }
        }
    }

    private func finish(_ job: SpooledJob, _ spool: Spool) throws {
        if !job.folder.isFinished {
            try job.folder.recordStart()
            if job.id == "many" {
                // Two targets that are published as they finish, a third with the end.
                try job.folder.prepare()
                for user in ["u1", "u2", "u3"] where !Files.exists("\(job.folder.results)/\(user).json") {
                    try Bench.finish(user, of: job)
                    if user != "u3" { try spool.publishTargets(of: job) }
                }
                try job.folder.seal(Bench.result(job.id, status: "done"))
            } else {
                try Bench.work(job, status: job.id == "poison" ? "failed" : "done", users: ["u"])
            }
        }
        try spool.publish(job)
    }

    /// What a visitor of the outbox sees.
    private func published(_ bench: Bench) throws -> [String: String] {
        var files: [String: String] = [:]
        func add(_ place: String) throws {
            // The digest of what may not be read depends on the inode, and a publication's record has its time.
            for file in try Files.list("\(bench.path)/\(place)") where ![".digest", "publication"].contains(file) {
                let path = "\(place)/\(file)"
                // What a stop tore does no harm where jobs are kept; in the outbox there may be none.
                if file.hasSuffix(".tmp") && place.hasPrefix("work/kept/") { continue }
                if (try? Files.status("\(bench.path)/\(path)").kind) == .directory {
                    try add(path)
                } else if !path.contains("/attempts") {
                    files[path] = bench.text(path)
                }
            }
        }
        try add("outbox")
        try add("work/kept")
        return files
    }

    @Test(arguments: ["nightly.part.json", "nightly.tmp.json", "~.json", "-.json"])
    func aClaimedJobStaysWhateverItsNameEndsIn(name: String) throws {
        let bench = try Bench()
        try bench.drop("job", as: name)
        do { _ = try #require(try bench.open().take(name)) }
        #expect(try bench.open().recover().jobs.count == 1)
        try serve(bench)
        #expect(bench.results == [JobID(fileName: name).description] && bench.entries == [])
    }

    @Test func whatAnAttemptDidNotFinishIsNotPublished() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id many", as: "many.json")
        let job = try #require(try spool.take("many.json"))
        try job.folder.prepare()
        for user in ["u1", "u2"] { try Bench.finish(user, of: job) }
        // The attempt ended between a target's files and its line.
        try Files.remove(job.folder.resultFile(of: "u2"))
        try spool.publishTargets(of: job)
        #expect(bench.results == ["many"])
        #expect(try Files.list("\(bench.folders.outbox)/many") == [".digest", "u1"])
    }

    @Test func bytesAreDurableBeforeTheirNameChanges() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id a", as: "a.json")
        try bench.dropFolder(["manifest.json": "id f", "history": "words"], as: "f")
        let calls = Mutex<[String]>([])
        try Files.$fault.withValue({ call, path in
            calls.withLock { $0.append("\(call) \(path.split(separator: "/").suffix(2).joined(separator: "/"))") }
            return nil
        }) {
            for name in ["a.json", "f"] { _ = try #require(try spool.take(name)) }
        }
        let made = calls.withLock { $0 }
        let renamed = made.indices.filter { made[$0].hasPrefix("rename ") && made[$0].contains("job") }
        try #require(renamed.count == 2)
        #expect(try #require(made.firstIndex(of: "fsync inbox/a.json")) < renamed[0])
        #expect(try #require(made.firstIndex(of: "syncfs inbox/f")) < renamed[1])
    }

    private func dropAll(_ bench: Bench) throws {
        try bench.drop("id good", as: "1.json")
        try bench.drop("id good", as: "2.json")
        try bench.drop("id good but another", as: "3.json")
        try bench.drop("nonsense", as: "4.json")
        try bench.dropFolder(["manifest.json": "id poison", "history": "words"], as: "5")
        try bench.dropFolder(["manifest.json": "job", "history": "words"], as: "6")
        try bench.dropFolder([:], as: "7")
        try bench.drop("id many", as: "8.json")
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
        #expect(
            undisturbed.results.map { $0.prefix { $0 != "." } } == ["4", "6", "7", "good", "good", "many", "poison"])
        #expect(undisturbed.kept.map { $0.prefix { $0 != "." } } == ["4", "7", "good", "poison"])
        for user in ["u1", "u2", "u3"] { #expect(expected["outbox/many/\(user)/report.html"] == "report of \(user)") }

        var calls = 0
        while true {
            let bench = try Bench()
            try dropAll(bench)
            let stop = Stop(after: calls, isFinal: isFinal)
            let fault: @Sendable (String, String) -> PosixError? = { stop.fault($0, $1) }
            Files.$fault.withValue(fault) { try? serve(bench) }
            if !stop.hasCome { break }
            try serve(bench)
            let found = try published(bench)
            let different = Set(found.keys).union(expected.keys).filter { found[$0] != expected[$0] }.sorted()
            #expect(different == [], "after a stop at call \(calls)")
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
        #expect(try spool.recover().jobs.map(\.id) == ["c", "a", "b"])
        #expect(try spool.recover().jobs == [])
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
            try folder.recordCrash(seconds: 1.5)
        }
        #expect(folder.attempts == Attempts(started: 3, crashes: 3, unwitnessed: 0, seconds: 4.5))
        #expect(folder.attempts.areExhausted(limit: 3))
        try Files.append([1], to: "\(folder.rounds)/0")
        #expect(folder.attempts == Attempts(started: 3, crashes: 0, unwitnessed: 0, seconds: 4.5))
        for _ in 0..<11 { try folder.recordStart() }
        #expect(!folder.attempts.areExhausted(limit: 3))
        try folder.recordStop(seconds: 0.5)
        #expect(folder.attempts.unwitnessed == 10)
        for _ in 0..<2 { try folder.recordStart() }
        #expect(folder.attempts.areExhausted(limit: 3))
    }

    @Test func attemptsMayBeTorn() {
        let text = "start 0\ncrash 0\nstart 5\nstart 5\nsta\nwhat 1\nstart x\ncrash 5"
        #expect(Attempts.counted(text, progress: 5) == Attempts(started: 3, crashes: 1, unwitnessed: 1))
        #expect(Attempts.counted("", progress: 0) == Attempts())
    }

    /// A foreground run of an edited manifest, stopped at any call, never leaves half of the former one's work for it.
    @Test func aStopAtAnyCallOfBeginningAnewLeavesAllOrNothing() throws {
        var calls = 0
        while true {
            let bench = try Bench()
            let folder = JobFolder(path: "\(bench.path)/run", manifest: "\(bench.path)/manifest.json")
            try Files.makeDirectories(folder.path)
            func begin(_ digest: String) throws {
                try folder.begin(digest: digest, name: "manifest.json", isFolder: false)
            }
            func remains() throws -> [String] {
                try Files.list(folder.path).filter { !["digest", "origin"].contains($0) && !Spool.isRemnant($0) }
            }
            try begin("one")
            try folder.prepare()
            try Files.append([1], to: folder.log, durable: false)
            try folder.seal(Bench.result("f", status: "done"))
            let whole = try remains()
            let budget = Budget(calls)
            Files.$fault.withValue({ call, path in
                budget.take() ? nil : PosixError(call: call, path: path, errno: EIO)
            }) { try? begin("two") }
            let isKept = try folder.readDigest() == "one"
            try begin("one")
            #expect(try remains() == (isKept ? whole : []), "after a stop at call \(calls)")
            if !budget.isExhausted { break }
            calls += 1
        }
        #expect(calls > 8)
    }
}
