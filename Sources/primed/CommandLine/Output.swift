import FoundationEssentials
import Glibc
import JSON
import Posix
import Telemetry

/// Writes a result to standard output. Where its reader has gone the program ends as one that SIGPIPE ends; where it cannot be
/// written, with `Exit.io`.
func show(_ text: String) { show(Array(text.utf8)) }

func show(_ bytes: [UInt8]) {
    guard let reason = write(bytes, to: STDOUT_FILENO, waiting: true) else { return }
    if reason == EPIPE { exit(128 + SIGPIPE) }
    complain("standard output: \(String(cString: strerror(reason)))")
    exit(Exit.io)
}

/// Writes a diagnostic to standard error, nothing in it but line feeds moving a cursor, each line as primed's, and in the
/// journal as an error (sd-daemon(3)). Nothing depends on whether it is heard.
func complain(_ text: String) {
    let mark = Log.leadsToJournal(STDERR_FILENO) ? "<3>" : ""
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
        "\(mark)primed: \(escaped(String($0)))"
    }
    _ = write(Array((lines.joined(separator: "\n") + "\n").utf8), to: STDERR_FILENO, waiting: false)
}

/// - Parameter waiting: whether to wait for a reader that is behind where the descriptor would not, since whoever passed it on
///   set it so.
/// - Returns: why not all of it was written; nil where it was.
private func write(_ bytes: [UInt8], to descriptor: Int32, waiting: Bool) -> Int32? {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count >= 0 {
            rest = rest.dropFirst(count)
        } else if errno == EAGAIN && waiting {
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = Glibc.poll(&ready, 1, -1)
        } else if errno != EINTR {
            return errno
        }
    }
    return nil
}

/// A value as JSON with sorted keys, on one line unless `pretty`.
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

/// A number of things: `1 slot`, `2 slots`.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// Text filled up with blanks to a column of `width`; longer text stays whole.
func padded(_ text: String, _ width: Int, right: Bool = false) -> String {
    let blank = String(repeating: " ", count: max(0, width - text.count))
    return right ? blank + text : text + blank
}
