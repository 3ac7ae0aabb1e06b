import FoundationEssentials
import Testing

@testable import Tasks

/// Files beside the tests; Fixtures/make-fixtures.py says where they come from.
enum Fixture {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    static let root = folder.deletingLastPathComponent().deletingLastPathComponent()

    static func bytes(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: path)))
    }

    static func read<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(contentsOf: folder.appending(path: "Fixtures/\(name).json")))
    }

    /// A task-definition file of the repository's examples.
    static func definition(_ name: String) throws -> TaskDefinition {
        let file = root.appending(path: "examples/debian/tasks/\(name).json")
        return try TaskDefinition(definition: [UInt8](Data(contentsOf: file)), file: "\(name).json")
    }
}

/// FNV-1a over texts, each followed by a zero byte.
func digest(_ texts: [String]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for text in texts {
        for byte in Array(text.utf8) + [0] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

func sameBytes(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// The users of a file in which nothing is wrong.
func soundUsers(_ bytes: [UInt8], file: String) throws -> [User] {
    try readUsers(bytes, file: file).map { try $0.user.get() }
}

/// The error that `body` throws.
func taskError(_ body: () throws -> Void) throws -> TaskError {
    try #require(throws: TaskError.self) { try body() }
}
