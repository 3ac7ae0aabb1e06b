import Glibc
import Manifest
import Posix
import Testing

@testable import Worker

@Suite struct NamesTests {
    private let root = "/tmp/primed-names-\(String(UInt64.random(in: .min ... .max), radix: 36))"

    private func code(_ name: String, _ kind: Names.Kind) throws -> JobError? {
        let configuration = try Configuration(
            Array("{}".utf8), file: "", folder: root, environment: ["PRIMED_HISTORIES": root, "PRIMED_MODELS": root])
        let names = Names(folder: nil, configuration: configuration)
        do throws(JobError) {
            _ = kind == .model ? try names.folder(name, kind, place: "here") : try names.path(name, kind, place: "here")
            return nil
        } catch {
            return error
        }
    }

    /// Of one user among many: the others' jobs go on.
    @Test func aFolderThatMayNotBeEnteredIsUnreadableForGood() throws {
        try Files.makeDirectories("\(root)/open")
        try Files.makeDirectories("\(root)/closed", mode: 0)
        defer { try? Files.removeTree(root) }
        for name in ["open", "closed"] where name == "open" || geteuid() == 0 {
            try Files.append([], to: "\(root)/\(name)/h.json", durable: false)
        }
        // Only this thread's looks at files are nobody's.
        typealias SetUser = @convention(c) (UInt32) -> Int32
        let setUser = unsafeBitCast(try #require(dlsym(nil, "setfsuid")), to: SetUser.self)
        let before = setUser(65534)
        defer { _ = setUser(UInt32(before)) }
        #expect(try code("open/h.json", .history) == nil)
        let error = try #require(try code("closed/h.json", .history))
        #expect(error.code == "unreadable" && error.isPermanent && error.place == "here", "\(error)")
    }

    @Test func noPartOfANameIsASymbolicLink() throws {
        try Files.makeDirectories("\(root)/real/\u{301}m")
        defer { try? Files.removeTree(root) }
        #expect(symlink("real", "\(root)/link") == 0)
        #expect(try code("real/\u{301}m", .model) == nil)
        #expect(try code("link/\u{301}m", .model)?.code == "escape")
        #expect(try code("link", .model)?.code == "escape")
    }
}
