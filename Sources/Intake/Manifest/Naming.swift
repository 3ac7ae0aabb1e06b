/// The form of an id, for messages.
let plainIDWords = "1 to 128 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _"

/// Whether `id` is safe as a file name, in a log and in a terminal.
public func isPlainID(_ id: String) -> Bool {
    guard let first = id.utf8.first, (1...128).contains(id.utf8.count) else { return false }
    func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
    return isWord(first) && id.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
}

/// Whether a user of this id can have a folder of its own beside the other files of a job's result.
public func isUserID(_ id: String) -> Bool {
    let files = ["result.json", "log.jsonl", "manifest.json", "job"]
    return isPlainID(id) && !files.contains(id) && !id.hasSuffix(".tmp")
}

/// Whether a path stays below the folder that it is relative to, as far as its words say; symbolic links are the
/// opener's to refuse.
public func isPathBelow(_ path: String) -> Bool { escape(of: path) == nil }

/// Why a path is refused, in words for a message; nil where it stays below its folder.
func escape(of path: String) -> String? {
    if path.isEmpty { return "an empty path" }
    if path.utf8.count > 4096 { return "more than 4096 bytes" }
    if path.hasPrefix("/") { return "an absolute path" }
    if path.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) { return "with control characters" }
    if path.utf8.contains(UInt8(ascii: "\\")) { return "with a backslash" }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    if parts.contains("..") { return "which leads upwards" }
    if parts.contains(".") || parts.contains("") { return "with a part that is empty or a dot" }
    return nil
}
