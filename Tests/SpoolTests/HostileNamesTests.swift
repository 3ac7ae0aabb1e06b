import Glibc
@testable import Posix
import Testing

@testable import Spool

/// What whoever drops jobs, or sets a spool up, may call things.
@Suite struct HostileNamesTests {
    /// Of a String's characters one is a slash, a dot or a space together with the mark behind it.
    @Test func aNameThatBeginsWithACombiningMarkIsAName() throws {
        let bench = try Bench()
        let spool = try bench.open()
        let name = "\u{301}x.json"
        try bench.drop("job", as: name)
        let job = try #require(try spool.take(name))
        #expect(try job.folder.readOrigin() == JobFolder.Origin(name: name, isFolder: false))
        try Bench.work(job)
        try spool.publish(job)
        try bench.drop("job", as: name)
        #expect(try spool.take(name) == nil)
        #expect(bench.results == [job.id] && bench.events.names.last == "job-repeated")
        #expect(Inbox.isTemporary(".\u{301}x.json") && Spool.isRemnant(".\u{301}x.tmp"))
    }

    /// Whoever may write to the inbox can take any name there.
    @Test func nothingInTheInboxStopsAStart() throws {
        let bench = try Bench()
        try Files.makeDirectories("\(bench.folders.inbox)/.probe.tmp/inner")
        _ = try bench.open()
        #expect(try Files.list(bench.folders.inbox) == [".probe.tmp"] && bench.results == [])
    }

    /// Each of the three folders may be a link itself.
    @Test func theFoldersMayBeLinks() throws {
        let bench = try Bench()
        for name in ["inbox", "work", "outbox"] {
            try Files.makeDirectories("\(bench.path)/real/\(name)")
            if name != "inbox" { #expect(symlink("real/\(name)", "\(bench.path)/\(name)") == 0) }
        }
        try Files.removeTree("\(bench.path)/inbox")
        #expect(symlink("real/inbox", "\(bench.path)/inbox") == 0)
        let folders = Spool.Folders(
            inbox: "\(bench.path)/inbox", work: "\(bench.path)/work", outbox: "\(bench.path)/outbox")
        let spool = try Spool(folders, limits: bench.limits, reader: Bench.read)
        try bench.drop("id a", as: "a.json")
        let scan = try spool.inbox.scan()
        #expect(scan.ready.count == 1)
        let job = try #require(try spool.take("a.json"))
        try Bench.work(job)
        try spool.publish(job)
        #expect(try Files.list(folders.outbox) == ["a"])
        #expect(try Outbox("\(bench.path)/outbox").isFinished("a"))
    }
}
