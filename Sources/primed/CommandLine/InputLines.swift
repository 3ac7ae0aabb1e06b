import Glibc
import JSON
import Posix

/// The lines of standard input, one JSON value each, read as they come.
struct InputLines {
    /// Longer lines are refused.
    static let longest = 64 << 20

    private let input = Descriptor(dup(STDIN_FILENO))
    private var buffer: [UInt8] = []
    /// Where the next line begins, and how far its end was looked for.
    private var start = 0
    private var searched = 0
    private var isAtEnd = false
    /// The number of the line that was read last, from 1 on.
    private(set) var number = 0

    /// The next line that is not empty, without its line feed; nil at the end. A carriage return alone is no line.
    mutating func next() throws -> [UInt8]? {
        while true {
            if let line = take() {
                number += 1
                if !line.isEmpty && line != [0x0D] { return line }
            } else if isAtEnd {
                return nil
            } else {
                buffer.removeFirst(start)
                searched -= start
                start = 0
                guard buffer.count <= Self.longest else {
                    number += 1
                    throw wrong("longer than \(Self.longest) bytes")
                }
                guard let more = try input.read(limit: 1 << 18) else {
                    _ = try poll([input.number], milliseconds: nil)
                    continue
                }
                isAtEnd = more.isEmpty
                buffer += more
            }
        }
    }

    /// What is in the buffer up to the next line feed, or at the end of the input all that is left.
    private mutating func take() -> [UInt8]? {
        if let end = buffer[searched...].firstIndex(of: 0x0A) {
            defer { (start, searched) = (end + 1, end + 1) }
            return Array(buffer[start..<end])
        }
        searched = buffer.count
        guard isAtEnd, start < buffer.count else { return nil }
        defer { start = buffer.count }
        return Array(buffer[start...])
    }

    /// The JSON value that a line is; with `repairing`, ill-formed UTF-8 is read as U+FFFD.
    func value(of line: [UInt8], repairing: Bool = false) throws -> JSONValue {
        do {
            let text = repairing ? Array(String(decoding: line, as: UTF8.self).utf8) : line
            var reader = try JSONReader(text, file: "line \(number)")
            return try reader.document()
        } catch {
            throw wrong("\(error.found); \(error.remedy)")
        }
    }

    /// What is wrong with the line that was read last.
    func wrong(_ message: String) -> Failure { Failure(Exit.badData, "standard input: line \(number): \(message)") }
}
