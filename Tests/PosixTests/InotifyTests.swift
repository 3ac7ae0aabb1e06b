import Glibc
import Testing

@testable import Posix

@Suite struct InotifyTests {
    @Test func closedAndMovedFilesAreAnnounced() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch("in"))
        let inotify = try Inotify()
        let watch = try inotify.watch(scratch("in"), for: [.closedAfterWriting, .movedIn])
        #expect(try inotify.events() == [])
        try Files.append([1], to: scratch("in/written"), durable: false)
        try Files.append([1], to: scratch("aside"), durable: false)
        try Files.rename(scratch("aside"), to: scratch("in/moved"))
        #expect(try poll([inotify.descriptor.number], milliseconds: 10_000) == [inotify.descriptor.number])
        let expected: [Inotify.Event] = [
            .change(watch: watch, name: "written", .closedAfterWriting), .change(watch: watch, name: "moved", .movedIn),
        ]
        #expect(try inotify.events() == expected)
        try Files.removeTree(scratch("in"))
        #expect(try inotify.events().last == .ended(watch: watch))
    }

    @Test func aFileOrALinkCannotBeWatched() throws {
        let scratch = try Scratch()
        let inotify = try Inotify()
        #expect(symlink("/tmp", scratch("link")) == 0)
        #expect(throws: PosixError(call: "inotify_add_watch", path: scratch("link"), errno: ENOTDIR)) {
            try inotify.watch(scratch("link"), for: .movedIn)
        }
    }

    @Test func lostEventsAndStrangeNamesAskForAScan() {
        func event(_ watch: Int32, _ mask: Int32, name: [UInt8]) -> [UInt8] {
            let header = [UInt32(bitPattern: watch), UInt32(mask), 0, UInt32(name.count)]
            return header.withUnsafeBytes { Array($0) } + name
        }
        let bytes =
            event(-1, IN_Q_OVERFLOW, name: []) + event(1, IN_MOVED_TO, name: [97, 0, 0, 0])
            + event(1, IN_MOVED_TO, name: [0xff, 0, 0, 0])
        #expect(Inotify.decode(bytes) == [.overflow, .change(watch: 1, name: "a", .movedIn), .undecodable(watch: 1)])
        #expect(Inotify.decode(Array(bytes.prefix(20))) == [.overflow])
    }
}
