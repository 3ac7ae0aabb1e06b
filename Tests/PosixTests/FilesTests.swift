import CPosix
import Foundation
import Glibc
import Testing

@testable import Posix

@Suite struct FilesTests {
    @Test func writtenBytesAreReadBack() throws {
        let scratch = try Scratch()
        try Files.writeAtomically(Array("one".utf8), to: scratch("file"))
        try Files.writeAtomically(Array("two".utf8), to: scratch("file"))
        try Files.append(Array(" three".utf8), to: scratch("file"))
        #expect(try Files.read(scratch("file"), limit: 9) == Array("two three".utf8))
        #expect(try Files.list(scratch.path) == ["file"])
    }

    @Test func anEmptyFileReadsAsNoBytes() throws {
        let scratch = try Scratch()
        try Files.writeAtomically([], to: scratch("file"))
        #expect(try Files.read(scratch("file"), limit: 0) == [])
    }

    @Test func readingRefusesWhatIsNoRegularFile() throws {
        let scratch = try Scratch()
        try Files.writeAtomically([1, 2, 3], to: scratch("file"))
        #expect(symlink("file", scratch("link")) == 0)
        #expect(mkfifo(scratch("fifo"), 0o600) == 0)
        func reason(_ name: String, limit: Int = 100) -> Int32? {
            do throws(PosixError) { _ = try Files.read(scratch(name), limit: limit) } catch { return error.errno }
            return nil
        }
        #expect(reason("link") == ELOOP)
        #expect(reason("fifo") == EINVAL)
        #expect(reason("") == EINVAL)
        #expect(reason("file", limit: 2) == EFBIG)
        #expect(reason("file\0") == EINVAL)
        #expect(reason("none") == ENOENT)
        #expect(reason("file", limit: 3) == nil)
    }

    @Test func readingBeneathARootStaysThere() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch("root/inner"))
        try Files.writeAtomically([1], to: scratch("outside"))
        try Files.writeAtomically([2], to: scratch("root/inner/file"))
        #expect(symlink("inner", scratch("root/link")) == 0)
        func reason(_ relative: String) -> Int32? {
            do throws(PosixError) { _ = try Files.read(relative, beneath: scratch("root"), limit: 9) } catch {
                return error.errno
            }
            return nil
        }
        #expect(reason("inner/file") == nil)
        #expect(reason("inner/../inner/file") == nil)
        #expect(reason("../outside") == EXDEV)
        #expect(reason(scratch("outside")) == EXDEV)
        #expect(reason("link/file") == ELOOP)
    }

    /// Where openat2(2) is not to be had, as under systemd's RestrictSUIDSGID=.
    @Test func openingStepByStepIsOpeningBeneath() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch("root/inner/deep"))
        try Files.writeAtomically([1], to: scratch("outside"))
        try Files.writeAtomically([2], to: scratch("root/inner/deep/file"))
        #expect(symlink("inner", scratch("root/link")) == 0)
        #expect(symlink("file", scratch("root/inner/deep/link")) == 0)
        #expect(symlink("/etc", scratch("root/inner/etc")) == 0)
        #expect(mkfifo(scratch("root/fifo"), 0o600) == 0)
        let root = Glibc.open(scratch("root"), O_RDONLY | O_DIRECTORY)
        defer { close(root) }
        func outcome(_ open: (Int32, UnsafePointer<CChar>?, Int32) -> Int32, _ path: String) -> Int32 {
            let descriptor = open(root, path, O_RDONLY | O_NONBLOCK)
            guard descriptor >= 0 else { return errno }
            close(descriptor)
            return 0
        }
        let long = String(repeating: "n", count: 300)
        for path in [
            "inner/deep/file", "inner//deep/./file", "./inner/deep/file", "inner", "fifo", "../outside", "..",
            "/etc/passwd",
            "", "none", "inner/none/file", "inner/deep/file/more", "link", "link/deep/file", "inner/deep/link",
            "inner/etc/passwd", long, "inner/\(long)/file",
        ] {
            #expect(outcome(cposix_open_step_by_step, path) == outcome(cposix_open_beneath, path), "\(path)")
        }
    }

    /// Where the file system has no rename without replacing.
    @Test func renamingAfterALookIsRenamingWithoutReplacing() throws {
        let outcomes = try [cposix_rename_noreplace, cposix_rename_after_look].map { rename in
            let scratch = try Scratch()
            for name in ["file", "other"] { try Files.writeAtomically(Array(name.utf8), to: scratch(name)) }
            for name in ["folder", "empty"] { try Files.makeDirectories(scratch(name)) }
            #expect(symlink("nothing", scratch("link")) == 0)
            let pairs = [
                ("file", "other"), ("file", "link"), ("folder", "empty"), ("none", "new"),
                ("file", "none/new"), ("file", "moved"), ("folder", "place"),
            ]
            let errors = pairs.map { rename(scratch($0.0), scratch($0.1)) == 0 ? 0 : errno }
            #expect(try Files.read(scratch("moved"), limit: 9) == Array("file".utf8))
            return (errors, try Files.list(scratch.path))
        }
        #expect(outcomes[0].0 == outcomes[1].0 && outcomes[0].1 == outcomes[1].1)
        #expect(outcomes[0].0.prefix(3).allSatisfy { $0 == EEXIST } && outcomes[0].0.suffix(2) == [0, 0])
    }

    /// A String takes a slash and a combining mark behind it for one character.
    @Test func pathsAreReadByTheirBytes() throws {
        #expect(
            Files.parent(of: "/a/\u{301}b") == "/a" && Array(Files.name(of: "a/\u{301}b").utf8) == [0xcc, 0x81, 0x62])
        #expect(Files.parent(of: "/\u{301}b") == "/" && Files.isAbsolute("/\u{301}b") && !Files.isAbsolute("a/"))
        #expect(Files.components(of: "//a/\u{301}b/../c/").map { Array($0.utf8) }.count == 4)
    }

    @Test func foldersMayBeReachedThroughALink() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch("real"))
        #expect(symlink("real", scratch("link")) == 0)
        try Files.makeDirectories(scratch("link/inner"))
        try Files.writeAtomically([1], to: scratch("link/file"))
        #expect(try Files.list(scratch("real")) == ["file", "inner"])
    }

    @Test func renamingWithoutReplacingKeepsWhatIsThere() throws {
        let scratch = try Scratch()
        try Files.writeAtomically([1], to: scratch("one"))
        try Files.writeAtomically([2], to: scratch("two"))
        #expect(throws: PosixError(call: "rename", path: scratch("two"), errno: EEXIST)) {
            try Files.rename(scratch("one"), to: scratch("two"), replacing: false)
        }
        try Files.rename(scratch("one"), to: scratch("three"), replacing: false)
        #expect(try Files.read(scratch("three"), limit: 9) == [1])
        #expect(try Files.read(scratch("two"), limit: 9) == [2])
    }

    @Test func removingATreeLeavesWhatItsLinksPointTo() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch("kept"))
        try Files.writeAtomically([1], to: scratch("kept/file"))
        try Files.makeDirectories(scratch("gone/a/b"))
        try Files.writeAtomically([1], to: scratch("gone/a/b/file"))
        #expect(symlink("../../kept", scratch("gone/a/link")) == 0)
        try Files.removeTree(scratch("gone"))
        try Files.removeTree(scratch("gone"))
        #expect(try Files.list(scratch.path) == ["kept"])
        #expect(Files.exists(scratch("kept/file")))
        #expect(symlink("kept", scratch("link")) == 0)
        try Files.removeTree(scratch("link"))
        #expect(Files.exists(scratch("kept/file")))
    }

    @Test func aSurveyCountsAndNamesTheOffender() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch("job/inner"))
        try Files.writeAtomically([1, 2], to: scratch("job/inner/file"))
        #expect(try Files.survey(scratch("job")) == Files.Survey(files: 1, folders: 1, size: 2))
        #expect(try Files.survey(scratch("job"), entries: 1).offender == .tooMany)
        #expect(try Files.survey(scratch("job"), depth: 0).offender == .tooDeep("inner"))
        #expect(mkfifo(scratch("job/inner/pipe"), 0o600) == 0)
        #expect(try Files.survey(scratch("job")).offender == .special("inner/pipe"))
        #expect(symlink("/", scratch("job/inner/link")) == 0)
        #expect(try Files.survey(scratch("job")).offender == .symbolicLink("inner/link"))
    }

    @Test func namesThatAreNotUTF8AreCounted() throws {
        let scratch = try Scratch()
        let name: [CChar] = scratch("x").utf8CString.dropLast() + [CChar(bitPattern: 0xff), 0]
        close(creat(name, 0o600))
        #expect(try Files.listing(scratch.path) == Files.Listing(names: [], undecodable: 1))
    }

    @Test func aStoppedWriteLeavesTheOldBytesAndOnlyAnIgnoredName() throws {
        let scratch = try Scratch()
        try Files.writeAtomically([1], to: scratch("file"))
        for stop in 0..<4 {
            let calls = Counter()
            let fault: @Sendable (String, String) -> PosixError? = { call, path in
                calls.next() >= stop ? PosixError(call: call, path: path, errno: EIO) : nil
            }
            Files.$fault.withValue(fault) {
                #expect(throws: PosixError.self) { try Files.writeAtomically([2], to: scratch("file")) }
            }
            #expect(try Files.read(scratch("file"), limit: 9) == [1])
            #expect(
                try Files.list(scratch.path).allSatisfy { $0 == "file" || $0.hasPrefix(".") && $0.hasSuffix(".tmp") })
        }
    }

    @Test func aFileOpenForWritingIsSeen() throws {
        let scratch = try Scratch()
        let writer = creat(scratch("file"), 0o600)
        #expect(Files.isBeingWritten(scratch("file")) == true)
        close(writer)
        #expect(Files.isBeingWritten(scratch("file")) == false)
        #expect(Files.isBeingWritten(scratch("none")) == nil)
    }

    /// Whoever can write a file can date it as they like.
    @Test func timesBeforeAndAfterTheClocksAreTheNearestOnes() throws {
        let scratch = try Scratch()
        try Files.writeAtomically([], to: scratch("file"), durable: false)
        for (seconds, expected) in [
            (-1 << 40, 0...0), (0, 0...0), (1_800_000_000, 1_800_000_000_000_000_000...1_800_000_000_000_000_000),
            (9_300_000_000, Int64.max - 2_000_000_000...Int64.max),
        ] as [(Int, ClosedRange<Int64>)] {
            let times = [timespec](repeating: timespec(tv_sec: seconds, tv_nsec: 0), count: 2)
            try #require(utimensat(AT_FDCWD, scratch("file"), times, 0) == 0)
            #expect(expected.contains(try Files.status(scratch("file")).modified), "\(seconds)")
        }
    }

    /// A file of holes is as large as the file system allows, and there may be many.
    @Test func sizesBeyondAllNumbersAreTheLargest() throws {
        let folder = "/dev/shm/primed-test-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        try Files.makeDirectories(folder)
        defer { try? Files.removeTree(folder) }
        for name in ["a", "b", "c"] {
            try Files.writeAtomically([], to: "\(folder)/\(name)", durable: false)
            try #require(truncate("\(folder)/\(name)", 5 << 60) == 0)
        }
        #expect(try Files.survey(folder).size == .max)
    }

    @Test func roomIsWhatOthersSeeToo() throws {
        let attributes = try FileManager.default.attributesOfFileSystem(forPath: "/tmp")
        func bytes(_ key: FileAttributeKey) throws -> Double { try #require(attributes[key] as? NSNumber).doubleValue }
        let room = try Files.room(at: "/tmp")
        // Others write there meanwhile.
        #expect(abs(Double(room.bytes) - (try bytes(.systemFreeSize))) < 0.02 * (try bytes(.systemSize)))
        #expect(abs(room.byteShare - Double(room.bytes) / (try bytes(.systemSize))) < 1e-6)
        #expect((0...1).contains(room.inodeShare))
        #expect(throws: PosixError.self) { try Files.room(at: "/nowhere/at/all") }
    }

    /// More levels than a process has descriptors, or a path has bytes.
    @Test func aTreeIsRemovedHoweverDeep() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch("tree"))
        var folder = Descriptor(open(scratch("tree"), O_RDONLY | O_DIRECTORY))
        for level in 0..<3000 {
            try #require(mkdirat(folder.number, "level", 0o700) == 0)
            if level % 100 == 0 { close(openat(folder.number, "file", O_WRONLY | O_CREAT, 0o600)) }
            folder = Descriptor(openat(folder.number, "level", O_RDONLY | O_DIRECTORY))
        }
        try Files.removeTree(scratch("tree"))
        #expect(try Files.list(scratch.path) == [])
    }

    /// Between a look at a name and its use whoever else can write there may make it mean something else.
    @Test func nothingIsReadOutOfAConfinedFolder() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch("job/sub"))
        try Files.makeDirectories(scratch("secret"))
        for path in ["job/sub/file", "secret/file"] { try Files.writeAtomically([7], to: scratch(path)) }
        #expect(symlink("../secret", scratch("job/link")) == 0)
        func reads(_ path: String) -> [Bool] {
            let whole = scratch(path)
            return [
                (try? Files.read(whole, limit: 9)) == [7], (try? MappedFile(whole).withBytes { Array($0) }) == [7],
                (try? Files.list(Files.parent(of: whole))) == ["file"],
                (try? Files.read("file", beneath: Files.parent(of: whole), limit: 9)) == [7],
            ]
        }
        #expect(reads("job/link/file") == [true, true, false, true])
        try Files.confine(scratch("job"))
        #expect(reads("job/link/file") == [false, false, false, false])
        #expect(reads("job/sub/file") == [true, true, true, true])
        #expect(reads("job/sub/../../secret/file") == [false, false, false, false])
        // It is a matter of that folder alone.
        #expect(reads("secret/file") == [true, true, true, true])
    }

    @Test func pathsAreTakenApart() {
        #expect(Files.parent(of: "/a/b") == "/a" && Files.parent(of: "/a") == "/" && Files.parent(of: "a") == ".")
        #expect(Files.name(of: "/a/b") == "b" && Files.name(of: "a") == "a")
    }

    @Test func aLockIsHeldByOne() throws {
        let scratch = try Scratch()
        var lock: FileLock? = try FileLock(scratch("lock"))
        #expect(throws: PosixError(call: "flock", path: scratch("lock"), errno: EWOULDBLOCK)) {
            try FileLock(scratch("lock"))
        }
        #expect(lock != nil)
        lock = nil
        _ = try FileLock(scratch("lock"))
    }
}

/// Counts calls; for closures that may not capture a variable.
final class Counter: @unchecked Sendable {
    private var count = 0

    /// How many calls came before this one.
    func next() -> Int {
        defer { count += 1 }
        return count
    }
}
