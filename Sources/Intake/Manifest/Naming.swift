import JSON

/// Whether a user of this id can have a folder of its own beside the other files of a job's result.
public func isUserID(_ id: String) -> Bool {
    let files = ["result.json", "log.jsonl", "manifest.json", "job"]
    return isPlainID(id) && !files.contains(id) && !id.hasSuffix(".tmp")
}

/// Whether a path stays below the folder that it is relative to, as far as its words say; symbolic links are the
/// opener's to refuse.
public func isPathBelow(_ path: String) -> Bool { escape(of: path) == nil }

/// Whether a path is surely none but a name: short, and of letters, digits and `.`, `_`, `-`, `/` of ASCII. What is not may be
/// somebody's text where a path belongs, and is not shown.
public func isPlainPath(_ path: String) -> Bool {
    path.utf8.count <= 128 && path.utf8.allSatisfy { isASCIILetterOrDigit($0) || "._-/".utf8.contains($0) }
}

private func isASCIILetterOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

func isAbsolute(_ path: String) -> Bool { path.utf8.first == UInt8(ascii: "/") }

/// Why a path is refused, in words for a message; nil where it stays below its folder.
func escape(of path: String) -> String? {
    if path.isEmpty { return "an empty path" }
    if path.utf8.count > 4096 { return "more than 4096 bytes" }
    if isAbsolute(path) { return "an absolute path" }
    if path.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
        return "with control characters"
    }
    if path.utf8.contains(UInt8(ascii: "\\")) { return "with a backslash" }
    // By bytes, as the kernel reads it: to a String, a slash before a combining mark is none.
    let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    if parts.contains(where: { $0.elementsEqual("..".utf8) }) { return "which leads upwards" }
    if parts.contains(where: { $0.isEmpty || $0.elementsEqual(".".utf8) }) {
        return "with a part that is empty or a dot"
    }
    return nil
}
