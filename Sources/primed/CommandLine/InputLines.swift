import Glibc
import JSON
import Posix

/// The lines of standard input, one by one.
struct InputLines {
    /// The number of the line that was read last, from 1 on.
    private(set) var number = 0
    private var rest: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    /// Longer lines are refused.
    static let longest = 256 << 20

    /// The next line without its line feed; nil at the end. Empty lines are left out.
    mutating func next() throws -> [UInt8]? {
        while true {
            if let end = rest[start...].firstIndex(of: 0x0a) {
                let line = Array(rest[start..<end])
                start = end + 1
                number += 1
                if line.isEmpty { continue }
                return line
            }
            rest.removeSubrange(..<start)
            start = 0
            guard !isAtEnd else {
                defer { rest = [] }
                number += 1
                return rest.isEmpty ? nil : rest
            }
            guard rest.count <= Self.longest else {
                throw Failure(Exit.badData, "line \(number + 1): longer than \(Self.longest) bytes")
            }
            guard let bytes = try Descriptor(dup(STDIN_FILENO)).read() else { continue }
            if bytes.isEmpty { isAtEnd = true } else { rest += bytes }
        }
    }
}

/// The string that a line of JSON is.
func string(_ line: [UInt8]) throws -> String {
    var reader = try JSONReader(line, file: "line")
    guard case .string(let text) = try reader.document() else { throw Failure(Exit.badData, "no JSON string") }
    return text
}
