import Posix

/// What is wrong with a JSON text, and at which byte.
struct JSONFault: Error {
    let offset: Int
    let reason: String
}

/// Reads JSON as RFC 8259 has it, without leniency: UTF-8 only, no name twice in an object (readers differ in which
/// value they take), a bounded depth, and numbers that are finite.
struct JSONReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0
    private var depth = 0

    /// Deeper nesting is refused; parsing recurses.
    static let deepest = 32

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Reads the whole text as one object and gives its members one after another, so that a large object need not be
    /// held at once.
    mutating func document(_ member: (JSONMember) throws -> Void) throws {
        skipSpace()
        guard peek == UInt8(ascii: "{") else { throw fault("no object") }
        try object(member)
        skipSpace()
        guard offset == bytes.count else { throw fault("text after the end") }
    }

    private var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func fault(_ reason: String) -> JSONFault { JSONFault(offset: offset, reason: reason) }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard peek == byte else { return false }
        offset += 1
        return true
    }

    private mutating func value() throws -> JSONValue {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"):
            var members: [JSONMember] = []
            try object { members.append($0) }
            return .object(members)
        case UInt8(ascii: "["): return .list(try list())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw fault("the text ends early")
        default: return try number()
        }
    }

    private mutating func object(_ member: (JSONMember) throws -> Void) throws {
        try enter()
        var names: Set<String> = []
        if !take(UInt8(ascii: "}")) {
            repeat {
                skipSpace()
                guard peek == UInt8(ascii: "\"") else { throw fault("no name of a member") }
                let name = try string()
                guard names.insert(name).inserted else { throw fault("\(printable(name)) a second time") }
                guard take(UInt8(ascii: ":")) else { throw fault("no colon") }
                try member(JSONMember(name: name, value: try value()))
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else { throw fault("an object that does not end") }
        }
        depth -= 1
    }

    private mutating func list() throws -> [JSONValue] {
        try enter()
        var values: [JSONValue] = []
        if !take(UInt8(ascii: "]")) {
            repeat { values.append(try value()) } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw fault("a list that does not end") }
        }
        depth -= 1
        return values
    }

    /// Steps over the opening bracket.
    private mutating func enter() throws {
        depth += 1
        guard depth <= Self.deepest else { throw fault("nesting deeper than \(Self.deepest)") }
        offset += 1
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws -> JSONValue {
        let end = offset + text.utf8CodeUnitCount
        guard end <= bytes.count,
            zip(bytes[offset..<end], UnsafeBufferPointer(start: text.utf8Start, count: end - offset))
                .allSatisfy({ $0 == $1 })
        else { throw fault("no JSON value") }
        offset = end
        return value
    }

    private mutating func number() throws -> JSONValue {
        let start = offset
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
        func digits() throws {
            guard isDigit(peek) else { throw fault("no JSON value") }
            while isDigit(peek) { offset += 1 }
        }
        var isInteger = true
        if peek == UInt8(ascii: "-") { offset += 1 }
        if peek == UInt8(ascii: "0") { offset += 1 } else { try digits() }
        if peek == UInt8(ascii: ".") {
            offset += 1
            try digits()
            isInteger = false
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            offset += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { offset += 1 }
            try digits()
            isInteger = false
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger, let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw fault("a number beyond what a double holds") }
        return .number(number)
    }

    private mutating func string() throws -> String {
        offset += 1
        var text: [UInt8] = []
        var plain = offset
        while true {
            guard let byte = peek else { throw fault("a text that does not end") }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text += bytes[plain..<offset]
                offset += 1
                if byte == UInt8(ascii: "\"") {
                    guard let string = String(validating: text, as: UTF8.self) else { throw fault("no UTF-8") }
                    return string
                }
                text += String(try escape()).utf8
                plain = offset
            case 0..<0x20: throw fault("a control character inside a text")
            default: offset += 1
            }
        }
    }

    /// What follows a backslash.
    private mutating func escape() throws -> Unicode.Scalar {
        guard let byte = peek else { throw fault("a text that does not end") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw fault("an unknown escape")
        }
        let unit = try codeUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard UTF16.isLeadSurrogate(unit), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw fault("half a surrogate pair")
        }
        let low = try codeUnit()
        guard UTF16.isTrailSurrogate(low) else { throw fault("half a surrogate pair") }
        return Unicode.Scalar(0x10000 + (UInt32(unit - 0xd800) << 10) + UInt32(low - 0xdc00))!
    }

    private mutating func codeUnit() throws -> UInt16 {
        guard offset + 4 <= bytes.count,
            bytes[offset..<offset + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let unit = UInt16(String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16)
        else { throw fault("no four digits after \\u") }
        offset += 4
        return unit
    }
}

/// Maps a file of a model or adapter folder; a symbolic link is refused.
func map(_ path: String) throws(CheckpointError) -> MappedFile {
    do {
        return try MappedFile(path, followLinks: false)
    } catch {
        throw CheckpointError(opening: path, error)
    }
}

/// Reads a small JSON file whose root is an object.
///
/// - Parameter limit: larger files are refused before they are read.
func readJSON(_ path: String, limit: Int = 16 << 20) throws(CheckpointError) -> JSONFields {
    let file = try map(path)
    guard file.bytes.count <= limit else {
        throw CheckpointError(
            .malformed, path, found: "\(file.bytes.count) bytes", remedy: "such a file has at most \(limit)")
    }
    var members: [JSONMember] = []
    try file.withBytes { (bytes) throws(CheckpointError) in
        try readJSON(bytes, place: path) { (member) throws(CheckpointError) in members.append(member) }
    }
    return JSONFields(place: path, members: members)
}

/// Gives the members of the object that `bytes` are, one after another.
func readJSON(
    _ bytes: UnsafeRawBufferPointer, place: String, _ member: (JSONMember) throws(CheckpointError) -> Void
) throws(CheckpointError) {
    var reader = JSONReader(bytes)
    do {
        try reader.document(member)
    } catch let error as CheckpointError {
        throw error
    } catch {
        let fault = error as? JSONFault
        throw CheckpointError(
            .malformed, place, found: "at byte \(fault?.offset ?? 0) \(fault?.reason ?? "no JSON")",
            remedy: "write the file again; it is cut off or no JSON")
    }
}
