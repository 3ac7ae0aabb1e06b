import Glibc
@testable import Posix
import Testing

@testable import Spool

@Suite struct KeptJobsTests {
    /// Drops a job with a history, and ends it.
    private func end(_ bench: Bench, _ spool: Spool, as status: String) throws -> SpooledJob {
        try bench.dropFolder(["manifest.json": "id f", "history": "words"], as: "f")
        let job = try #require(try spool.take("f"))
        try Bench.work(job, status: status, users: ["u"])
        try spool.publish(job)
        return job
    }

    @Test(arguments: ["done", "held"]) func whatWasClaimedGoesWithItsResult(status: String) throws {
        let bench = try Bench()
        let spool = try bench.open()
        _ = try end(bench, spool, as: status)
        #expect(bench.results == ["f"] && bench.entries == [] && bench.kept == [])
    }

    @Test func whatFailedIsKeptApartFromTheOutbox() throws {
        let bench = try Bench()
        let spool = try bench.open()
        _ = try end(bench, spool, as: "failed")
        #expect(bench.entries == [] && bench.kept == ["f"])
        #expect(try Files.list("\(bench.folders.outbox)/f") == [".digest", "result.json", "u"])
        #expect(bench.text("work/kept/f/job/history") == "words")
        for place in [bench.folders.kept, "\(bench.folders.kept)/f"] {
            var status = stat()
            #expect(stat(place, &status) == 0 && status.st_mode & 0o77 == 0)
        }
        let kept = try #require(try Spool.kept(bench.folders, bench.limits).first)
        #expect(kept.name == "f" && kept.status == .failed && kept.expires - kept.published == 7 * 86400)
    }

    @Test func itGoesWhenItsTimeIsOver() throws {
        let bench = try Bench()
        bench.limits.keepsDoneSeconds = 60
        let spool = try bench.open()
        _ = try end(bench, spool, as: "done")
        let kept = try #require(try Spool.kept(bench.folders, bench.limits).first)
        try spool.removeExpired(at: kept.published + 59)
        #expect(bench.kept == ["f"])
        try spool.removeExpired(at: kept.published + 60)
        #expect(bench.kept == [] && bench.results == ["f"])
        #expect(bench.events.names.last == "kept-removed")
    }

    /// To look at all of them costs seconds where there are very many.
    @Test func theyAreLookedAtWhenTheFirstOnesTimeIsOver() throws {
        let bench = try Bench()
        bench.limits.keepsDoneSeconds = 60
        let spool = try bench.open()
        try spool.removeExpired()
        #expect(spool.nextExpiry == .max)
        _ = try end(bench, spool, as: "done")
        let kept = try #require(try Spool.kept(bench.folders, bench.limits).first)
        #expect((kept.expires...kept.expires + 1).contains(spool.nextExpiry))
        // Other limits, other times.
        spool.limits.keepsDoneSeconds = 1
        try spool.removeExpired(at: kept.published + 1)
        #expect(bench.kept == [])
    }

    @Test func theNextLookIsWhenTheFirstOfThemIsOver() throws {
        let bench = try Bench()
        let spool = try bench.open()
        for name in ["a", "b"] {
            try bench.drop("nothing", as: "\(name).json")
            #expect(try spool.take("\(name).json") == nil)
        }
        bench.limits.keepsDoneSeconds = 60
        spool.limits = bench.limits
        _ = try end(bench, spool, as: "done")
        // Found out anew, as after a start.
        spool.nextExpiry = 0
        let kept = try Spool.kept(bench.folders, bench.limits)
        #expect(kept.map { $0.expires - $0.published } == [604_800, 604_800, 60])
        try spool.removeExpired()
        #expect(spool.nextExpiry == kept.map(\.expires).min())
        #expect(bench.kept == ["a", "b", "f"])
    }

    @Test func oneThatCannotBeRemovedKeepsNoOther() throws {
        let bench = try Bench()
        bench.limits.keepsFailedSeconds = 60
        let spool = try bench.open()
        for name in ["a", "b"] {
            try bench.drop("nothing", as: "\(name).json")
            #expect(try spool.take("\(name).json") == nil)
        }
        #expect(bench.kept == ["a", "b"])
        let late = WallClock.nanoseconds() / 1_000_000_000 + 61
        try Files.$fault.withValue({ call, path in
            call == "rename" && path.hasSuffix("kept/.a.tmp") ? PosixError(call: call, path: path, errno: EPERM) : nil
        }) {
            try spool.removeExpired(at: late)
        }
        #expect(bench.kept == ["a"])
        // It is tried again.
        try spool.removeExpired(at: late + 600)
        #expect(bench.kept == [])
    }

    /// A look ends when too many are refused; the next one begins with the others.
    @Test func manyThatCannotBeRemovedKeepNoOther() throws {
        let bench = try Bench()
        bench.limits.keepsFailedSeconds = 60
        let spool = try bench.open()
        let stuck = (10..<50).map { "a\($0)" }
        for name in stuck + ["b", "c"] {
            try bench.drop("nothing", as: "\(name).json")
            #expect(try spool.take("\(name).json") == nil)
        }
        let late = WallClock.nanoseconds() / 1_000_000_000 + 61
        try Files.$fault.withValue({ call, path in
            call == "rename" && path.contains("kept/.a") ? PosixError(call: call, path: path, errno: EPERM) : nil
        }) {
            try spool.removeExpired(at: late)
            #expect(bench.kept == stuck + ["b", "c"])
            try spool.removeExpired(at: late + 600)
            #expect(bench.kept == stuck)
        }
        try spool.removeExpired(at: late + 1200)
        #expect(bench.kept == [])
    }

    /// A removal that was cut short and cannot be finished stands in no way.
    @Test func aRemnantThatStaysKeepsNothingFromBeingRetired() throws {
        let bench = try Bench()
        try Files.makeDirectories("\(bench.folders.kept)/.a.tmp")
        try Files.makeDirectories("\(bench.folders.kept)/a")
        try Files.$fault.withValue({ call, path in
            call == "unlink" && path.hasSuffix(".a.tmp") ? PosixError(call: call, path: path, errno: EPERM) : nil
        }) {
            try Files.retire("\(bench.folders.kept)/a")
        }
        #expect(bench.kept == [".a.tmp"])
    }

    @Test func whatCannotBeRemovedKeepsNothingElseFromIt() throws {
        let bench = try Bench()
        let spool = try bench.open()
        for name in [".a.tmp", ".b.tmp"] { try Files.makeDirectories("\(bench.folders.kept)/\(name)") }
        try Files.$fault.withValue({ call, path in
            path.hasSuffix(".a.tmp") ? PosixError(call: call, path: path, errno: EACCES) : nil
        }) {
            try spool.removeExpired()
        }
        #expect(bench.kept == [".a.tmp"])
        #expect(bench.events.names == ["trouble"])
    }

    @Test func aResultThatIsDoneIsNotTakenBack() throws {
        let bench = try Bench()
        bench.limits.keepsDoneSeconds = 60
        let spool = try bench.open()
        _ = try end(bench, spool, as: "done")
        #expect(bench.kept == ["f"])
        #expect(try spool.takeAgain("f") == nil)
        #expect(bench.kept == ["f"] && bench.results == ["f"])
    }

    @Test func aNameMayEndLikeATemporaryOne() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id x.tmp", as: "x.json")
        let job = try #require(try spool.take("x.json"))
        try Bench.work(job, status: "failed")
        try spool.publish(job)
        try spool.removeExpired()
        #expect(bench.kept == ["x.tmp"])
        _ = try Request(.retry, try #require(JobID("x.tmp")), of: bench.folders)
        #expect(try spool.requests().map(\.job) == ["x.tmp"])
        #expect(try spool.takeAgain("x.tmp")?.id == "x.tmp")
    }

    @Test func aKeptJobBeginsAgainWithoutWhatFailed() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id many", as: "many.json")
        let job = try #require(try spool.take("many.json"))
        try job.folder.prepare()
        try Bench.finish("good", of: job)
        try spool.publishTargets(of: job)
        try Files.writeAtomically(Array(#"{"status":"failed"}"#.utf8), to: "\(job.folder.results)/bad.json")
        for _ in 0..<3 {
            try job.folder.recordStart()
            try job.folder.recordCrash(seconds: 1)
        }
        try job.folder.seal(Bench.result("many", status: "failed"))
        try spool.publish(job)
        #expect(try spool.outbox.isFinished("many") && bench.kept == ["many"])

        #expect(try spool.takeAgain("other") == nil)
        let again = try #require(try spool.takeAgain("many"))
        #expect(again.id == "many" && again.digest == job.digest && !again.folder.isFinished)
        #expect(again.folder.attempts == Attempts())
        #expect(try Files.list(again.folder.results) == ["good.json"])
        // What was published of it stays; that it was done does not.
        #expect(try Files.list("\(bench.folders.outbox)/many") == [".digest", "good"])
        #expect(try !spool.outbox.isFinished("many") && bench.kept == [])
        try again.folder.prepare()
        try Bench.finish("bad", of: again)
        try again.folder.seal(Bench.result("many", status: "done"))
        try spool.publish(again)
        #expect(try Files.list("\(bench.folders.outbox)/many") == [".digest", "bad", "good", "result.json"])
        #expect(bench.entries == [] && bench.kept == [])
    }

    @Test func aRejectedManifestIsReadOnceMore() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("nonsense", as: "bad.json")
        #expect(try spool.take("bad.json") == nil)
        #expect(try spool.takeAgain("bad") == nil)
        #expect(bench.results == ["bad"] && bench.kept == ["bad"] && bench.entries == [])
    }

    /// Its result got another name, since the id was another job's by then.
    @Test(arguments: [true, false]) func aJobWhoseIDWasTakenMeanwhileIsTakenAgain(isFree: Bool) throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.dropFolder(["manifest.json": "id f", "history": "words"], as: "f")
        let job = try #require(try spool.take("f"))
        try Files.makeDirectories("\(bench.folders.outbox)/f")
        try Bench.work(job, status: "failed", users: ["u"])
        try spool.publish(job)
        let name = "f.rejected-\(job.digest.prefix(12))"
        #expect(bench.results == ["f", name] && bench.kept == [name])
        if isFree { try Files.removeTree("\(bench.folders.outbox)/f") }
        let again = try spool.takeAgain(name)
        if isFree {
            #expect(again?.id == "f" && again?.digest == job.digest && bench.kept == [])
        } else {
            #expect(again == nil && bench.kept == [name])
            #expect(bench.text("work/kept/\(name)/job/history") == "words")
            #expect(bench.text("outbox/\(name)/result.json")?.contains("id-taken") == true)
        }
        #expect(!bench.events.names.contains("job-repeated"))
    }

    /// However far a stop lets it come, the job is done once in the end.
    @Test func aStopAtAnyCallOfTakingAgainLosesNothing() throws {
        var calls = 0
        while true {
            let bench = try Bench()
            let spool = try bench.open()
            _ = try end(bench, spool, as: "failed")
            let budget = Budget(calls)
            let first = Files.$fault.withValue({ call, path in
                budget.take() ? nil : PosixError(call: call, path: path, errno: 5)
            }) { try? spool.takeAgain("f") }
            let others = try spool.recover().jobs + [try? spool.takeAgain("f")].compactMap { $0 }
            for job in [first].compactMap({ $0 }) + others {
                try Bench.work(job, users: ["u"])
                try spool.publish(job)
            }
            #expect(bench.text("outbox/f/result.json")?.contains("done") == true, "after a stop at call \(calls)")
            #expect(bench.results == ["f"] && bench.entries == [] && bench.kept == [], "after a stop at call \(calls)")
            if !budget.isExhausted { break }
            calls += 1
        }
        #expect(calls > 8)
    }
}

@Suite struct RequestTests {
    @Test func aRequestIsAskedOnceAndAnsweredOnce() throws {
        let bench = try Bench()
        // Not by whoever asks before there is a daemon, and maybe as root.
        #expect { try Request(.hold, try #require(JobID("x")), of: bench.folders) } throws: {
            ($0 as? PosixError)?.errno == ENOENT
        }
        #expect(bench.entries == [] && !Files.exists(bench.folders.requests))
        let spool = try bench.open()
        let request = try Request(.hold, try #require(JobID("nightly.2026-11-20")), of: bench.folders)
        #expect(try spool.requests() == [request])
        #expect(request.answer(in: bench.folders) == nil)
        try spool.answer(request, .done)
        #expect(try spool.requests() == [])
        #expect(request.answer(in: bench.folders) == .done)
        #expect(request.answer(in: bench.folders) == nil)
    }

    @Test(arguments: ["x", "1.hold", "1.hold.", "1.hold..x", "1.burn.a", "1.hold.a/b", ".hold.a"])
    func otherNamesAreNoRequests(name: String) {
        #expect(Request(fileName: name) == nil)
    }
}
