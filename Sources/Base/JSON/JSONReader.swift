/// Reads JSON from bytes, strictly: UTF-8, no key twice, no NaN, bounded depth and text length.
///
/// Errors name line and column, never the text found there. With `json5`, comments, trailing commas, single quotes,
/// unquoted keys and continued lines are allowed too, as in definition files that people write.
public struct JSONReader {
    /// How many brackets a value may lie in.
    public static let deepest = 32
    /// Bytes of UTF-8 that a text or a key in quotes may have, its escapes resolved.
    public static let longestText = 1 << 20

    private let bytes: [UInt8]
    private let file: String
    private let json5: Bool
    private var at = 0
    /// What `next` found the file to be.
    private var form: Form?
    private var hasElements = false

    /// Begins to read `bytes`, which must be UTF-8 from the first to the last; a byte order mark is skipped.
    ///
    /// - Parameter file: the name that errors give as their place.
    public init(_ bytes: [UInt8], file: String, json5: Bool = false) throws(JSONError) {
        self.bytes = bytes
        self.file = file
        self.json5 = json5
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw JSONError(.malformed, file, found: "bytes that are not UTF-8", remedy: "save the file as UTF-8")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
    }

    /// The file's only value.
    public mutating func document() throws(JSONError) -> JSONValue {
        let value = try value(depth: 0)
        try skipSpace()
        guard at == bytes.count else { throw malformed("more after the end of the value") }
        return value
    }

    /// The next element of the file's list, or, in a file that is no list, its next value (JSON Lines); nil at the end.
    public mutating func next() throws(JSONError) -> JSONValue? {
        try skipSpace()
        if form == nil { form = take("[") ? .list : .lines }
        try skipSpace()
        guard form == .list else { return at < bytes.count ? try value(depth: 0) : nil }
        if take("]") {
            try skipSpace()
            guard at == bytes.count else { throw malformed("more after the end of the list") }
            form = .lines
            return nil
        }
        if hasElements {
            guard take(",") else { throw malformed("no comma or ] after a list's element") }
        }
        hasElements = true
        return try value(depth: 1)
    }

    private enum Form {
        case list, lines
    }

    // MARK: - Values

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= Self.deepest else {
            throw JSONError(
                .tooLarge, place(at), found: "brackets nested deeper than \(Self.deepest)",
                remedy: "write the file as the format says")
        }
        try skipSpace()
        switch peek {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["):
            return .list(try list(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "'") where json5: return .string(try string())
        case nil: throw malformed("the end of the file where a value belongs")
        case let byte? where byte == UInt8(ascii: "-") || isDigit(byte): return try number()
        default: return try word()
        }
    }

    private mutating func list(depth: Int) throws(JSONError) -> [JSONValue] {
        var values: [JSONValue] = []
        at += 1
        try skipSpace()
        if take("]") { return values }
        while true {
            values.append(try value(depth: depth + 1))
            try skipSpace()
            if take("]") { return values }
            guard take(",") else { throw malformed("no comma or ] after a list's element") }
            try skipSpace()
            if json5, take("]") { return values }
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        at += 1
        var members: [(key: String, value: JSONValue)] = []
        var seen: Set<String> = []
        try skipSpace()
        if take("}") { return .object(JSONObject(members: [])) }
        while true {
            let start = at
            let key = try self.key()
            guard seen.insert(key).inserted else {
                let shown = isPlainID(key) ? "the key \(key)" : "a key"
                throw JSONError(.duplicate, place(start), found: "\(shown) twice", remedy: "keep one of them")
            }
            try skipSpace()
            guard take(":") else { throw malformed("no colon after a key") }
            members.append((key, try value(depth: depth + 1)))
            try skipSpace()
            if take("}") { break }
            guard take(",") else { throw malformed("no comma or } after a member") }
            try skipSpace()
            if json5, take("}") { break }
        }
        return .object(JSONObject(members: members))
    }

    private mutating func key() throws(JSONError) -> String {
        if peek == UInt8(ascii: "\"") || (json5 && peek == UInt8(ascii: "'")) { return try string() }
        let name = json5 ? identifier() : ""
        guard !name.isEmpty else { throw malformed("no quoted key where one belongs") }
        return name
    }

    private mutating func identifier() -> String {
        let start = at
        while let byte = peek, isDigit(byte) || isLetter(byte) { at += 1 }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func word() throws(JSONError) -> JSONValue {
        let start = at
        switch identifier() {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "NaN", "Infinity": throw notFinite(start)
        default:
            at = start
            throw malformed("no value where one belongs")
        }
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = at
        _ = take("-")
        if peek == UInt8(ascii: "I") { throw notFinite(start) }
        let integer = digits()
        guard integer == 1 || (integer > 1 && bytes[at - integer] != UInt8(ascii: "0")) else {
            throw malformed("a number without digits, or with a leading zero")
        }
        if take("."), digits() == 0 { throw malformed("no digit after a number's point") }
        if take("e") || take("E") {
            if !take("-") { _ = take("+") }
            guard digits() > 0 else { throw malformed("no digit in a number's exponent") }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        guard text.utf8.count <= 400, let value = Double(text), value.isFinite else { throw notFinite(start) }
        return .number(text)
    }

    private mutating func digits() -> Int {
        let start = at
        while let byte = peek, isDigit(byte) { at += 1 }
        return at - start
    }

    // MARK: - Texts

    private mutating func string() throws(JSONError) -> String {
        let quote = bytes[at]
        at += 1
        var text: [UInt8] = []
        while let byte = peek {
            guard byte >= 0x20 else { throw malformed("a bare control character in a text") }
            at += 1
            if byte == quote { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                try escape(into: &text)
            } else {
                text.append(byte)
            }
            guard text.count <= Self.longestText else {
                throw JSONError(
                    .tooLarge, place(at), found: "a text of more than \(Self.longestText) bytes", remedy: "cut the text"
                )
            }
        }
        throw malformed("the end of the file inside a text")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard let byte = peek else { throw malformed("the end of the file inside a text") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var unit = try hexadecimal()
            if UTF16.isLeadSurrogate(unit), peek == UInt8(ascii: "\\"), at + 1 < bytes.count,
                bytes[at + 1] == UInt8(ascii: "u")
            {
                let retry = at
                at += 2
                let trail = try hexadecimal()
                if UTF16.isTrailSurrogate(trail) {
                    text.append(contentsOf: String(decoding: [unit, trail], as: UTF16.self).utf8)
                    return
                }
                at = retry
            }
            // A surrogate without its partner is no character.
            if UTF16.isLeadSurrogate(unit) || UTF16.isTrailSurrogate(unit) { unit = 0xFFFD }
            text.append(contentsOf: String(decoding: [unit], as: UTF16.self).utf8)
        case UInt8(ascii: "'") where json5: text.append(byte)
        case 0x0A where json5: break
        default: throw malformed("an unknown escape in a text")
        }
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt16 {
        guard at + 4 <= bytes.count, bytes[at..<at + 4].allSatisfy({ isDigit($0) || isLetter($0) }),
            let unit = UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw malformed("no four hexadecimal digits after \\u") }
        at += 4
        return unit
    }

    // MARK: - Bytes

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: byte) else { return false }
        at += 1
        return true
    }

    private mutating func skipSpace() throws(JSONError) {
        while let byte = peek {
            if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
                at += 1
            } else if json5, byte == UInt8(ascii: "/"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "/") {
                while let next = peek, next != 0x0A { at += 1 }
            } else if json5, byte == UInt8(ascii: "/"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "*") {
                guard let end = bytes[(at + 2)...].firstRange(of: Array("*/".utf8)) else {
                    throw malformed("a comment without its end")
                }
                at = end.upperBound
            } else {
                return
            }
        }
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
    }

    private func place(_ at: Int) -> String {
        let line = bytes[..<at].count { $0 == 0x0A } + 1
        let column = at - (bytes[..<at].lastIndex(of: 0x0A) ?? -1)
        return "\(file): line \(line), column \(column)"
    }

    private func malformed(_ found: String) -> JSONError {
        JSONError(.malformed, place(at), found: found, remedy: "correct the JSON there")
    }

    private func notFinite(_ at: Int) -> JSONError {
        JSONError(
            .notFinite, place(at), found: "a number that is not finite", remedy: "write a finite number or leave it out"
        )
    }
}
