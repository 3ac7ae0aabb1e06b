import Digest

/// A name that is safe to show: a job, a user, an adapter.
///
/// Whatever is not 1 to 128 of `A-Z a-z 0-9 . _ - : @ + =` becomes `#` and 16 hexadecimal digits of a hash of it, so that
/// no sentence of anybody's history can pass for an identifier.
public struct Identifier: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    public init(_ text: String) {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "-")...UInt8(ascii: "."): true
            case UInt8(ascii: "_"), UInt8(ascii: "@"), UInt8(ascii: "+"), UInt8(ascii: "="): true
            default: false
            }
        }
        guard !isPlain || text.isEmpty || text.utf8.count > 128 else {
            description = text
            return
        }
        let hash = fnv1a(text)
        let digits = String(hash, radix: 16)
        description = "#" + String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// A value of an event. There is no case for free text: a log cannot carry anybody's words.
public enum Field: Sendable, Equatable {
    case identifier(Identifier)
    case identifiers([Identifier])
    case count(Int)
    /// Metrics, weights, shares.
    case score(Double)
    case scores([Double])
    /// Seconds.
    case duration(Double)
    /// A file by its path; components that are no identifiers show as their hashes.
    case path([Identifier])

    /// An identifier out of any text: what is none becomes its hash.
    public static func id(_ text: String) -> Field { .identifier(Identifier(text)) }

    /// A file by its path: components between slashes, an empty one first where the path is absolute.
    public static func path(_ path: String) -> Field {
        .path(
            path.split(separator: "/", omittingEmptySubsequences: false).map {
                $0.isEmpty ? .empty : Identifier(String($0))
            })
    }
}

extension Identifier {
    /// The component before the first slash of an absolute path.
    fileprivate static let empty = Identifier(nothing: ())

    private init(nothing: Void) { description = "" }
}
