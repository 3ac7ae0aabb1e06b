import Glibc
import Testing

@testable import Posix

/// Found out without the product, whose mistake would leave out its own test.
private let mayMakeGroups: Bool = {
    let controllers = (try? Files.read("/sys/fs/cgroup/cgroup.controllers", limit: 4096)) ?? []
    let isUnified = String(decoding: controllers, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        .contains("memory")
    return access(isUnified ? "/sys/fs/cgroup/cgroup.subtree_control" : "/sys/fs/cgroup/memory/tasks", W_OK) == 0
}()

@Suite(
    .enabled(
        if: mayMakeGroups, "needs a memory controller in which this process may make groups, as root has it"))
struct MemoryGroupTests {
    private static var name: String { "primed-test-\(String(UInt64.random(in: .min ... .max), radix: 36))" }

    /// Fills memory until something happens.
    private func hog(in group: MemoryGroup?) throws -> ChildProcess.Exit {
        let child = try ChildProcess(
            "/bin/sh", arguments: ["-c", "read go; head -c 200000000 /dev/zero | tail -c 190000000 > /dev/null"],
            inheriting: [0: gate.reading])
        try group?.add(child.id)
        try gate.writing.write(Array("go\n".utf8))
        return try child.waitForExit()
    }

    private let gate: Pipe

    init() throws { gate = try Pipe() }

    @Test func whoTakesTooMuchIsKilledAndCounted() throws {
        let group = try MemoryGroup(Self.name, bytes: 64 << 20)
        #expect(group.kills == 0)
        _ = try hog(in: group)
        #expect(group.kills > 0)
        #expect(try hog(in: nil) == .code(0))
    }

    @Test func aGroupGoesWithItsValue() throws {
        var group: MemoryGroup? = try MemoryGroup(Self.name, bytes: 1 << 30)
        let path = try #require(group).path
        #expect(Files.isDirectory(path))
        #expect(try hog(in: group) == .code(0))
        #expect(group?.kills == 0)
        group = nil
        #expect(!Files.isDirectory(path))
    }

    @Test func whoHasEndedIsNoError() throws {
        let group = try MemoryGroup(Self.name, bytes: 1 << 30)
        let child = try ChildProcess("/bin/true")
        _ = try child.waitForExit()
        #expect(throws: Never.self) { try group.add(child.id) }
    }
}
