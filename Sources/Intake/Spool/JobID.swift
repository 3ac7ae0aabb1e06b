/// What a job is called: 1 to 128 of `A-Z a-z 0-9 . _ -`, not beginning with a dot. It names the folder of the result.
public struct JobID: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// Nil when `text` is no id.
    public init?(_ text: String) {
        guard (1...128).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "."),
            text.utf8.allSatisfy(Self.allows)
        else { return nil }
        description = text
    }

    /// The id of a job that brings none, from the name it was dropped under: `.json` goes, and what no id may hold
    /// becomes `_`.
    public init(fileName: String) {
        let stem = fileName.hasSuffix(".json") ? String(fileName.dropLast(5)) : fileName
        let allowed = stem.utf8.prefix(128).map { Self.allows($0) ? $0 : UInt8(ascii: "_") }
        let text = String(decoding: allowed.drop { $0 == UInt8(ascii: ".") }, as: UTF8.self)
        description = text.isEmpty ? "_" : text
    }

    private static func allows(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
