import Testing

@testable import Posix

/// A folder of a test's own, removed when the value goes.
final class Scratch {
    let path: String

    init() throws {
        path = "/tmp/primed-test-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        try Files.makeDirectories(path)
    }

    deinit { try? Files.removeTree(path) }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
}
