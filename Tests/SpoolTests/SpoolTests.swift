import Glibc
@testable import Posix
import Testing

@testable import Spool

@Suite struct SpoolTests {
    @Test func aJobGoesFromTheInboxToTheOutbox() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id nightly", as: "x.json")
        #expect(try spool.inbox.scan().ready == ["x.json"])
        let job = try #require(try spool.take("x.json"))
        #expect(job.id == "nightly" && job.submitter == "uid:\(getuid())")
        #expect(try Files.list(bench.folders.inbox) == [])
        #expect(try Files.read(job.folder.manifest, limit: 99) == Array("id nightly".utf8))
        try Bench.work(job)
        #expect(job.folder.isFinished && bench.results == [])
        try spool.publish(job)
        #expect(bench.results == ["nightly"] && bench.entries == [])
        #expect(try Files.list("\(bench.folders.outbox)/nightly") == [".digest", "result.json"])
        #expect(bench.events.names == ["job-claimed", "job-published"])
    }

    @Test func theFileNameServesAsID() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.dropFolder(["manifest.json": "job", "history.json": "[]"], as: "weekly")
        let job = try #require(try spool.take("weekly"))
        #expect(job.id == "weekly" && job.submitter == "me" && job.priority == 7)
        #expect(Files.exists("\(Files.parent(of: job.folder.manifest))/history.json"))
    }

    @Test func theSameManifestAgainChangesNothing() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id a", as: "one.json")
        let job = try #require(try spool.take("one.json"))
        try bench.drop("id a", as: "two.json")
        #expect(try spool.take("two.json") == nil)
        try Bench.work(job)
        try spool.publish(job)
        let before = try Files.status("\(bench.folders.outbox)/a/result.json")
        try bench.drop("id a", as: "one.json")
        #expect(try spool.take("one.json") == nil)
        #expect(bench.results == ["a"] && bench.entries == [])
        #expect(try Files.status("\(bench.folders.outbox)/a/result.json") == before)
        #expect(bench.events.names == ["job-claimed", "job-repeated", "job-published", "job-repeated"])
    }

    @Test func anotherManifestUnderTheSameIDIsRejected() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id a", as: "one.json")
        let job = try #require(try spool.take("one.json"))
        for _ in 0..<2 {
            try bench.drop("id a and more", as: "two.json")
            #expect(try spool.take("two.json") == nil)
        }
        try Bench.work(job)
        try spool.publish(job)
        #expect(bench.results.count == 2 && bench.results[0] == "a" && bench.results[1].hasPrefix("a.rejected-"))
        #expect(bench.text("work/kept/\(bench.results[1])/job/manifest.json") == "id a and more")
        #expect(bench.text("outbox/\(bench.results[1])/result.json")?.contains(#""code" : "id-taken""#) == true)
        #expect(bench.text("outbox/a/result.json")?.contains("done") == true)
    }

    @Test func aBadManifestIsPublishedAsRejectedAndItsFileKept() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("nonsense", as: "b ad.json")
        #expect(try spool.take("b ad.json") == nil)
        #expect(bench.results == ["b_ad"] && bench.entries == [])
        #expect(bench.text("work/kept/b_ad/job/manifest.json") == "nonsense")
        let expected = """
            {
              "error" : {
                "code" : "bad",
                "message" : "no job",
                "where" : "here"
              },
              "id" : "b_ad",
              "schema" : 1,
              "status" : "rejected",
              "targets" : [

              ]
            }

            """
        #expect(bench.text("outbox/b_ad/result.json") == expected)
        try bench.drop("nonsense", as: "b ad.json")
        #expect(try spool.take("b ad.json") == nil)
        #expect(bench.results == ["b_ad"])
    }

    @Test func whatCanNeverBeReadIsRefused() throws {
        let bench = try Bench()
        let spool = try Spool(bench.folders, limits: bench.limits) { (folder, limit) throws(PosixError) in
            throw PosixError(call: "read", path: folder.manifest, errno: EFBIG)
        }
        try bench.drop("job", as: "x.json")
        #expect(try spool.take("x.json") == nil)
        // Paths below it are longer than the kernel takes.
        let name = String(repeating: "n", count: 255)
        var inner = "\(bench.path)/0"
        try Files.makeDirectories(inner)
        for depth in 1...20 {
            try Files.makeDirectories("\(bench.path)/\(depth)")
            try Files.rename(inner, to: "\(bench.path)/\(depth)/\(name)")
            inner = "\(bench.path)/\(depth)"
        }
        try Files.append(Array("job".utf8), to: "\(inner)/manifest.json")
        try Files.rename(inner, to: "\(bench.folders.inbox)/deep")
        #expect(try spool.take("deep") == nil)
        #expect(bench.results == ["deep", "x"] && bench.entries == [])
        for id in ["deep", "x"] { #expect(bench.text("outbox/\(id)/result.json")?.contains("unreadable") == true) }
    }

    /// Its submitter may take a file back at any moment.
    @Test func whatGoesWhileItIsClaimedIsNoJob() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("job", as: "x.json")
        func refused(_ errno: Int32) throws -> SpooledJob? {
            try Files.$fault.withValue({ call, path in
                call == "rename" && path.hasSuffix("/manifest.json")
                    ? PosixError(call: call, path: path, errno: errno) : nil
            }) {
                try spool.take("x.json")
            }
        }
        #expect(try refused(ENOENT) == nil)
        #expect(throws: PosixError.self) { _ = try refused(EIO) }
        #expect(bench.entries == [] && bench.results == [])
        #expect(try spool.take("x.json")?.id == "x")
    }

    @Test(arguments: [(EACCES, "give its user the right to"), (EFBIG, "drop regular files that can")])
    func whatIsUnreadableIsSaidWithWhatHelps(_ errno: Int32, _ advice: String) throws {
        let bench = try Bench()
        let spool = try Spool(bench.folders, limits: bench.limits) { (folder, limit) throws(PosixError) in
            throw PosixError(call: "open", path: folder.manifest, errno: errno)
        }
        try bench.drop("job", as: "x.json")
        #expect(try spool.take("x.json") == nil)
        #expect(bench.text("outbox/x/result.json")?.contains(advice) == true)
    }

    @Test func hostileThingsAreRefusedUnread() throws {
        let bench = try Bench()
        bench.limits.manifestSize = 20
        bench.limits.folderSize = 30
        bench.limits.files = 4
        let spool = try bench.open()
        func code(_ name: String) throws -> Substring? {
            #expect(try spool.take(name) == nil)
            let id = JobID(fileName: name).description
            let result = try #require(bench.text("outbox/\(id)/result.json"))
            return result.firstMatch(of: #/"code" : "(.*)"/#)?.1
        }
        #expect(symlink("/etc/passwd", "\(bench.folders.inbox)/link.json") == 0)
        #expect(try code("link.json") == "symbolic-link")
        #expect(mkfifo("\(bench.folders.inbox)/fifo.json", 0o600) == 0)
        #expect(try code("fifo.json") == "special-file")
        try bench.drop("id aaaaaaaaaaaaaaaaaaaaaaaaa", as: "large.json")
        #expect(try code("large.json") == "too-large")
        try bench.dropFolder(["manifest.json": "job", "history": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], as: "heavy")
        #expect(try code("heavy") == "too-large")
        try bench.dropFolder(["manifest.json": "job", "1": "", "2": "", "3": "", "4": ""], as: "many")
        #expect(try code("many") == "too-many-files")
        try bench.dropFolder(["history": "x"], as: "headless")
        #expect(try code("headless") == "manifest-missing")
        #expect(bench.text("work/kept/headless/job/history") == "x")
        #expect(mkdir("\(bench.folders.inbox)/empty", 0o700) == 0)
        #expect(try code("empty") == "manifest-missing")
        #expect(mkdir("\(bench.folders.inbox)/folder.json", 0o700) == 0)
        #expect(mkdir("\(bench.folders.inbox)/folder.json/manifest.json", 0o700) == 0)
        #expect(try code("folder.json") == "manifest-missing")
        #expect(bench.entries == [])
    }

    /// All that a job brought: names, where they lie, and every byte.
    @Test func jobsAreToldApartByAllTheirFiles() throws {
        let bench = try Bench()
        func digest(_ files: [String: String]) throws -> String {
            try bench.dropFolder(files, as: "x")
            defer { try? Files.removeTree("\(bench.folders.inbox)/x") }
            let folder = "\(bench.folders.inbox)/x"
            let bytes = files.values.reduce(0) { $0 + $1.utf8.count }
            // Files may grow while they are read.
            #expect { try JobDigest.of(folder: folder, limit: bytes - 1) } throws: {
                ($0 as? PosixError)?.errno == EFBIG
            }
            return try JobDigest.of(folder: folder, limit: bytes)
        }
        let files = ["manifest.json": "job", "a": "12", "b": "3"]
        let first = try digest(files)
        #expect(try digest(files) == first)
        for other in [
            ["manifest.json": "joc", "a": "12", "b": "3"], ["manifest.json": "job", "a": "13", "b": "3"],
            ["manifest.json": "job", "a": "1", "b": "23"], ["manifest.json": "job", "a": "12", "c": "3"],
            ["manifest.json": "job", "a": "12"], ["manifest.json": "job", "a": "12", "b": "3", "c": ""],
        ] {
            #expect(try digest(other) != first, "\(other)")
        }
    }

    @Test func twoBrokenThingsUnderOneNameAreBothKept() throws {
        let bench = try Bench()
        let spool = try bench.open()
        for text in ["x", "y"] {
            try bench.dropFolder(["history": text], as: "headless")
            #expect(try spool.take("headless") == nil)
        }
        #expect(bench.results.count == 2)
        #expect(Set(bench.kept.map { bench.text("work/kept/\($0)/job/history") }) == ["x", "y"])
    }

    @Test func aNameTakenInTheMeantimeIsNotOverwritten() throws {
        let bench = try Bench()
        let spool = try bench.open()
        try bench.drop("id a", as: "a.json")
        let job = try #require(try spool.take("a.json"))
        try Bench.work(job)
        try Files.makeDirectories("\(bench.folders.outbox)/a/foreign")
        try spool.publish(job)
        #expect(try Files.list("\(bench.folders.outbox)/a") == ["foreign"])
        #expect(bench.results.count == 2 && bench.results[1].hasPrefix("a.rejected-"))
    }

    @Test func oneDaemonServesASpool() throws {
        let bench = try Bench()
        let spool = try bench.open()
        defer { withExtendedLifetime(spool) {} }
        bench.limits.lockSeconds = 0
        #expect { try bench.open() } throws: { ($0 as? SpoolError)?.code == .alreadyServed }
    }

    @Test func oneFolderCannotServeTwice() throws {
        let path = "/tmp/primed-spool-\(UInt64.random(in: .min ... .max))"
        defer { try? Files.removeTree(path) }
        let folders = Spool.Folders(inbox: path, work: "\(path)/work", outbox: path)
        #expect { try Spool(folders, reader: Bench.read) } throws: { ($0 as? SpoolError)?.code == .foldersOverlap }
    }

    /// What lies in a folder of the spool's is taken for a job or a result of it.
    @Test(arguments: [
        ("", "/work", "/outbox"), ("/inbox", "", "/outbox"), ("/inbox", "/work", ""), ("/a", "/a/b", "/c"),
        ("/a", "/b", "/link/c"),
    ])
    func noFolderLiesInAnother(inbox: String, work: String, outbox: String) throws {
        let bench = try Bench()
        try Files.makeDirectories("\(bench.path)/a/c")
        #expect(symlink("a", "\(bench.path)/link") == 0)
        let folders = Spool.Folders(
            inbox: bench.path + inbox, work: bench.path + work, outbox: bench.path + outbox)
        #expect { try Spool(folders, reader: Bench.read) } throws: { ($0 as? SpoolError)?.code == .foldersOverlap }
    }

    @Test func whatElseIsUnderWorkIsLeftAlone() throws {
        let bench = try Bench()
        for name in ["kernels", ".snapshot", "lost+found", "0123456789abc", "0123456789ABC-x"] {
            try Files.makeDirectories("\(bench.folders.work)/\(name)/inner")
        }
        let before = bench.entries
        #expect(try bench.open().recover() == Recovery())
        #expect(before.count == 5 && bench.entries == before)
    }

    /// Anybody who may drop a file can date it.
    @Test(arguments: [-1 << 40, 9_250_000_000, 1 << 33, 1 << 34]) func aDateOfNoSenseStopsNothing(seconds: Int) throws {
        let bench = try Bench()
        bench.limits.settlingSeconds = 2
        try bench.drop("id a", as: "a.json")
        try bench.dropFolder(["manifest.json": "id b"], as: "b")
        try bench.drop("", as: "empty.json")
        let times = [timespec](repeating: timespec(tv_sec: seconds, tv_nsec: 0), count: 2)
        for name in ["a.json", "b", "b/manifest.json", "empty.json"] {
            try #require(utimensat(AT_FDCWD, "\(bench.folders.inbox)/\(name)", times, 0) == 0)
        }
        let spool = try bench.open()
        let scan = try spool.inbox.scan()
        #expect(scan.ready.sorted() == ["a.json", "b"])
        for name in scan.ready { #expect(try spool.take(name) != nil) }
    }

    @Test func foldersOnTwoFileSystemsAreRefused() throws {
        let bench = try Bench()
        guard try Files.status("/tmp").device != Files.status(bench.path).device else { return }
        let other = "/tmp/primed-spool-\(UInt64.random(in: .min ... .max))"
        defer { try? Files.removeTree(other) }
        let folders = Spool.Folders(inbox: bench.folders.inbox, work: bench.folders.work, outbox: other)
        #expect { try Spool(folders, reader: Bench.read) } throws: {
            ($0 as? SpoolError)?.code == .differentFileSystems
        }
        #expect(try Files.list(bench.folders.inbox) == [])
    }
}
