import Glibc
import Testing

@testable import Posix

@Suite struct ProcessTests {
    @Test func aChildSpeaksThroughAnInheritedDescriptor() throws {
        let pipe = try Pipe()
        var writing: Descriptor? = pipe.writing
        let child = try ChildProcess(
            "/bin/sh", arguments: ["-c", "echo $0 hello >&5", "word"], inheriting: [5: writing!])
        writing = nil
        #expect(try child.waitForExit() == .code(0))
        #expect(try pipe.reading.read() == Array("word hello\n".utf8))
    }

    @Test func descriptorsMayChangePlaces() throws {
        let (first, second) = (try Pipe(), try Pipe())
        let (one, two) = (first.writing.number, second.writing.number)
        let child = try ChildProcess(
            "/bin/sh", arguments: ["-c", "printf a > /proc/self/fd/\(two); printf b > /proc/self/fd/\(one)"],
            inheriting: [two: first.writing, one: second.writing])
        #expect(try child.waitForExit() == .code(0))
        #expect(try first.reading.read() == Array("a".utf8))
        #expect(try second.reading.read() == Array("b".utf8))
    }

    @Test func nothingElseIsInherited() throws {
        let leak = open("/dev/null", O_RDONLY)
        defer { close(leak) }
        let pipe = try Pipe()
        let child = try ChildProcess(
            "/bin/sh", arguments: ["-c", "ls /proc/self/fd >&1"], inheriting: [1: pipe.writing])
        #expect(try child.waitForExit() == .code(0))
        // 3 is the folder that ls reads.
        #expect(String(decoding: try pipe.reading.read() ?? [], as: UTF8.self) == "0\n1\n2\n3\n")
    }

    @Test func aMissingProgramIsReported() {
        #expect(throws: PosixError(call: "execve", path: "/nonexistent/x", errno: ENOENT)) {
            try ChildProcess("/nonexistent/x")
        }
    }

    @Test func theEndOfAChildIsReadable() throws {
        let child = try ChildProcess("/bin/sh", arguments: ["-c", "sleep 60"])
        #expect(try poll([child.ending.number], milliseconds: 0) == [])
        #expect(try child.exit() == nil)
        child.kill(SIGTERM, wholeGroup: true)
        #expect(try poll([child.ending.number], milliseconds: 10_000) == [child.ending.number])
        #expect(try child.exit() == .signal(SIGTERM))
    }

    @Test func aChildEndsWithTheThreadThatStartedIt() throws {
        final class Box: @unchecked Sendable { var child: ChildProcess? }
        let box = Box()
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { box in
                Unmanaged<Box>.fromOpaque(box!).takeUnretainedValue().child = try? ChildProcess(
                    "/bin/sleep", arguments: ["60"])
                return nil
            }, Unmanaged.passUnretained(box).toOpaque())
        pthread_join(thread, nil)
        let child = try #require(box.child)
        #expect(try poll([child.ending.number], milliseconds: 10_000) == [child.ending.number])
        #expect(try child.exit() == .signal(SIGKILL))
    }

    @Test func signalsArriveInTheLoop() throws {
        let signals = try Signals(catching: [SIGUSR2])
        #expect(try signals.received() == [])
        kill(getpid(), SIGUSR2)
        #expect(try poll([signals.descriptor.number], milliseconds: 10_000) == [signals.descriptor.number])
        try signals.announce(SIGHUP)
        #expect(try signals.received() == [SIGUSR2, SIGHUP])
    }

    /// A parent may have started the program with everything blocked.
    @Test func caughtSignalsAreUnblocked() throws {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGUSR1)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let signals = try Signals(catching: [SIGUSR1])
        pthread_kill(pthread_self(), SIGUSR1)
        #expect(try signals.received() == [SIGUSR1])
    }

    @Test func timeIsWrittenInUTC() {
        #expect(WallClock.timestamp(0) == "1970-01-01T00:00:00.000Z")
        #expect(WallClock.timestamp(1_795_147_506_789_999_999) == "2026-11-20T04:05:06.789Z")
        #expect(WallClock.timestamp(-1) == "1969-12-31T23:59:59.999Z")
        let start = MonotonicClock.nanoseconds()
        #expect(MonotonicClock.nanoseconds() >= start)
    }

    @Test func aPipeIsNoTerminal() throws {
        let pipe = try Pipe()
        #expect(!Terminal.isTerminal(pipe.reading.number))
        #expect(Terminal.size(pipe.reading.number) == nil)
    }
}
