import Glibc
import Posix
import Testing

@testable import Spool

@Suite struct InboxTests {
    @Test func temporaryEmptyAndStrangeNamesAreLeftAlone() throws {
        let bench = try Bench()
        for name in [".x.json", "x.json.part", "x.tmp", "x.json~", "notes.txt", "a.json"] {
            try Files.append([1], to: "\(bench.folders.inbox)/\(name)", durable: false)
        }
        try Files.append([], to: "\(bench.folders.inbox)/zero.json", durable: false)
        for name in [".folder", "folder.part"] { try Files.makeDirectories("\(bench.folders.inbox)/\(name)") }
        let zero = "\(bench.folders.inbox)/zero.json"
        #expect(try Inbox(bench.folders.inbox).scan() == Inbox.Scan(ready: ["a.json"], strange: ["notes.txt"]))
        var longAgo = [timespec(tv_sec: 1_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, zero, &longAgo, 0) == 0)
        #expect(try Inbox(bench.folders.inbox).scan().strange == ["notes.txt", "zero.json"])
    }

    @Test func aFileBeingWrittenIsWaitedFor() throws {
        let bench = try Bench()
        let inbox = Inbox(bench.folders.inbox, settlingSeconds: 0)
        let writer = creat("\(inbox.path)/a.json", 0o600)
        write(writer, "{", 1)
        #expect(try inbox.scan(announced: ["a.json": .max]) == Inbox.Scan(unsettled: ["a.json"]))
        close(writer)
        #expect(try inbox.scan() == Inbox.Scan(ready: ["a.json"]))
    }

    @Test func aFolderIsTakenWhenItWasMovedInOrIsQuiet() throws {
        let bench = try Bench()
        try bench.dropFolder(["manifest.json": "job"], as: "folder")
        let inbox = Inbox(bench.folders.inbox, settlingSeconds: 60)
        #expect(try inbox.scan() == Inbox.Scan(unsettled: ["folder"]))
        let now = WallClock.nanoseconds()
        #expect(try inbox.scan(announced: ["folder": now]) == Inbox.Scan(ready: ["folder"]))
        // Changed since it was announced.
        usleep(20_000)
        #expect(utimensat(AT_FDCWD, "\(inbox.path)/folder", nil, 0) == 0)
        #expect(try inbox.scan(announced: ["folder": now]) == Inbox.Scan(unsettled: ["folder"]))
        #expect(try Inbox(inbox.path, settlingSeconds: 0).scan() == Inbox.Scan(ready: ["folder"]))
        let writer = creat("\(inbox.path)/folder/history", 0o600)
        defer { close(writer) }
        #expect(try Inbox(inbox.path, settlingSeconds: 0).scan() == Inbox.Scan(unsettled: ["folder"]))
    }

    @Test func theOldestComesFirst() throws {
        let bench = try Bench()
        for (age, name) in [(1, "b.json"), (3, "c.json"), (2, "a.json")] {
            try Files.append([1], to: "\(bench.folders.inbox)/\(name)", durable: false)
            var times = [timespec(tv_sec: 1_000_000 - age, tv_nsec: 0), timespec(tv_sec: 1_000_000 - age, tv_nsec: 0)]
            #expect(utimensat(AT_FDCWD, "\(bench.folders.inbox)/\(name)", &times, 0) == 0)
        }
        let inbox = Inbox(bench.folders.inbox)
        #expect(try inbox.scan().ready == ["c.json", "a.json", "b.json"])
        #expect(try inbox.scan(limit: 1).ready == ["c.json"])
    }

    @Test func aBacklogIsGivenOutOnceAndMissesNothingThatComesMeanwhile() throws {
        let bench = try Bench()
        let inbox = Inbox(bench.folders.inbox, settlingSeconds: 0)
        for n in 0..<50 { try bench.drop("id \(n)", as: "\(n).json") }
        var backlog = Inbox.Backlog()
        var given: [String] = []
        var scan: Inbox.Scan
        repeat {
            scan = try inbox.scan(&backlog, limit: 8)
            for name in scan.ready { try Files.remove("\(inbox.path)/\(name)") }
            given += scan.ready
            // The first comes while others wait, the last where perhaps nothing but the backlog is left to look at.
            if given.count % 8 == 0 && given.count <= 48 { try bench.drop("id late", as: "late\(given.count).json") }
        } while scan.hasMore
        #expect(given.count == 56)
        #expect(Set(given).count == 56)
        #expect(try inbox.scan() == Inbox.Scan())
    }

    @Test func ownersTakeTurns() throws {
        guard getuid() == 0 else { return }
        let bench = try Bench()
        for name in ["a1.json", "a2.json", "a3.json", "b1.json"] {
            let path = "\(bench.folders.inbox)/\(name)"
            try Files.append([1], to: path, durable: false)
            if name.hasPrefix("b") { #expect(chown(path, 12345, 0) == 0) }
        }
        #expect(try Inbox(bench.folders.inbox).scan(limit: 2).ready == ["a1.json", "b1.json"])
    }

    @Test func theWatchHearsOfWhatComes() throws {
        let bench = try Bench()
        let watch = try InboxWatch(Inbox(bench.folders.inbox))
        #expect(try watch.news() == InboxWatch.News())
        try bench.drop("id a", as: "a.json")
        let writer = creat("\(bench.folders.inbox)/b.json", 0o600)
        #expect(try watch.news() == InboxWatch.News(callsForScan: true))
        #expect(watch.announced.keys.sorted() == ["a.json"])
        close(writer)
        #expect(try watch.news().callsForScan)
        #expect(watch.announced["b.json"] != nil)
        watch.forget(["a.json"])
        #expect(watch.announced.keys.sorted() == ["b.json"])
        try Files.removeTree(bench.folders.inbox)
        #expect(try watch.news().hasEnded)
    }

    @Test(arguments: [
        ("a.json", "a"), ("a", "a"), ("..json", "_"), (".json", "_"), ("a b/ü.json", "a_b___"), ("...a", "a"),
        ("-x.json", "x"), (".-.json", "_"),
    ])
    func anIDIsMadeFromAName(name: String, id: String) { #expect(JobID(fileName: name).description == id) }

    @Test func anIDHasAForm() {
        for text in ["a", "A-1_b.c", String(repeating: "x", count: 128)] { #expect(JobID(text)?.description == text) }
        for text in ["", ".a", "-a", "a/b", "a b", "ä", "a\n", String(repeating: "x", count: 129)] {
            #expect(JobID(text) == nil)
        }
    }
}
