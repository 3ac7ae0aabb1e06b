/// A JSON document as tokenizer.json needs it read: strings are bytes, and objects keep every key.
///
/// JSONReader refuses a key twice, and its keys are strings, of which Swift takes canonically equivalent ones for equal; a
/// vocabulary has such pairs.
enum JSONNode {
    case null
    case bool(Bool)
    case number(Double)
    case string([UInt8])
    case array([JSONNode])
    case object([(key: [UInt8], value: JSONNode)])

    subscript(key: String) -> JSONNode? {
        guard case .object(let entries) = self else { return nil }
        return entries.first { $0.key.elementsEqual(key.utf8) }?.value
    }

    var text: String? {
        guard case .string(let bytes) = self else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// A token id; nil for anything else.
    var id: Int32? {
        guard case .number(let value) = self, value >= 0, value < 0x1p24, value == value.rounded() else { return nil }
        return Int32(value)
    }

    var array: [JSONNode]? {
        guard case .array(let nodes) = self else { return nil }
        return nodes
    }

    var entries: [(key: [UInt8], value: JSONNode)]? {
        guard case .object(let entries) = self else { return nil }
        return entries
    }

    var isNull: Bool {
        if case .null = self { return true }
        return false
    }
}

/// Reads a document in one pass, at most 64 levels deep.
struct NodeReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0
    private let path: String

    static func read(_ bytes: [UInt8], path: String) throws(TokenizerError) -> JSONNode {
        try bytes.withUnsafeBufferPointer { buffer throws(TokenizerError) in
            var reader = NodeReader(bytes: buffer, path: path)
            let node = try reader.value(depth: 0)
            reader.skipBlanks()
            guard reader.at == buffer.count else { throw reader.mistake("more after the end of the JSON") }
            return node
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, path: String) {
        self.bytes = bytes
        self.path = path
    }

    private func mistake(_ found: String) -> TokenizerError {
        let line = 1 + bytes[..<min(at, bytes.count)].count { $0 == 0x0a }
        return TokenizerError(.malformed, "\(path):\(line)", found: found, remedy: "copy the file again")
    }

    private mutating func skipBlanks() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 {
            at += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipBlanks()
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) throws(TokenizerError) -> JSONNode {
        guard depth < 64 else { throw mistake("JSON nested deeper than 64") }
        skipBlanks()
        guard at < bytes.count else { throw mistake("JSON that ends early") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(_ depth: Int) throws(TokenizerError) -> JSONNode {
        at += 1
        var entries: [(key: [UInt8], value: JSONNode)] = []
        if take(UInt8(ascii: "}")) { return .object(entries) }
        repeat {
            skipBlanks()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw mistake("no key where one belongs") }
            let key = try string()
            guard take(UInt8(ascii: ":")) else { throw mistake("no colon after a key") }
            entries.append((key, try value(depth: depth + 1)))
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw mistake("an object without an end") }
        return .object(entries)
    }

    private mutating func array(_ depth: Int) throws(TokenizerError) -> JSONNode {
        at += 1
        var nodes: [JSONNode] = []
        if take(UInt8(ascii: "]")) { return .array(nodes) }
        repeat { nodes.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw mistake("an array without an end") }
        return .array(nodes)
    }

    private mutating func word(_ word: StaticString, _ node: JSONNode) throws(TokenizerError) -> JSONNode {
        let count = word.utf8CodeUnitCount
        guard at + count <= bytes.count,
            bytes[at..<(at + count)].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: count))
        else { throw mistake("a word that JSON does not have") }
        at += count
        return node
    }

    private mutating func number() throws(TokenizerError) -> JSONNode {
        let start = at
        while at < bytes.count, "+-.0123456789eE".utf8.contains(bytes[at]) { at += 1 }
        guard at > start, at - start < 64,
            let value = Double(String(decoding: bytes[start..<at], as: UTF8.self))
        else { throw mistake("no value where one belongs") }
        return .number(value)
    }

    private mutating func string() throws(TokenizerError) -> [UInt8] {
        at += 1
        var text: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"): try escape(&text)
            default: text.append(byte)
            }
        }
        throw mistake("a string without an end")
    }

    private mutating func escape(_ text: inout [UInt8]) throws(TokenizerError) {
        guard at < bytes.count else { throw mistake("a string without an end") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var unit = try hex()
            if (0xd800..<0xdc00).contains(unit), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
                bytes[at + 1] == UInt8(ascii: "u")
            {
                let mark = at
                at += 2
                let low = try hex()
                if (0xdc00..<0xe000).contains(low) {
                    unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
                } else {
                    at = mark
                }
            }
            // Half a surrogate pair is no character.
            text += String(Unicode.Scalar(unit) ?? "\u{fffd}").utf8
        default: throw mistake("an escape that JSON does not have")
        }
    }

    private mutating func hex() throws(TokenizerError) -> UInt32 {
        // A sign is no digit, though radix 16 takes one.
        guard at + 4 <= bytes.count, bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-"),
            let unit = UInt32(String(decoding: bytes[at..<(at + 4)], as: UTF8.self), radix: 16)
        else { throw mistake("an escape without four hex digits") }
        at += 4
        return unit
    }
}
