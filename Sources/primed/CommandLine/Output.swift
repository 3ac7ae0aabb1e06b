import FoundationEssentials
import Glibc
import Posix

/// Writes a result to standard output; a reader that has gone ends the program quietly.
func show(_ text: String) { show(Array(text.utf8)) }

func show(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

/// Writes a diagnostic line to standard error.
func complain(_ text: String) {
    write(Array("primed: \(text)\n".utf8), to: STDERR_FILENO)
}

private func write(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 {
            if errno == EINTR { continue }
            if errno == EPIPE { exit(Exit.ok) }
            if descriptor == STDOUT_FILENO { complain("standard output: \(String(cString: strerror(errno)))") }
            exit(Exit.io)
        }
        rest = rest.dropFirst(count)
    }
}

/// A value as one line of JSON with sorted keys.
func json(_ value: some Encodable, pretty: Bool = false) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
}

/// A number to `places` places.
func fixed(_ value: Double, _ places: Int) -> String {
    guard value.isFinite else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 1e15 else { return "\(value)" }
    let digits = String(Int(scaled))
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    let whole = padded.dropLast(places)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    return places == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(padded.suffix(places))"
}

/// Text in a column of `width`, cut or padded.
func padded(_ text: String, _ width: Int, right: Bool = false) -> String {
    let blank = String(repeating: " ", count: max(0, width - text.count))
    return right ? blank + text : text + blank
}
