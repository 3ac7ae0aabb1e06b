import JSON

/// A text with places to fill: `{}` in order, `{name}` by name, `{{` and `}}` for braces, as Python's `str.format`.
struct Template: Sendable, Equatable {
    enum Piece: Sendable, Equatable {
        case text(String)
        case field(String)
        case next
    }

    private(set) var pieces: [Piece]

    /// - Parameter place: where the template stands, for errors.
    init(_ source: String, place: String) throws(TaskError) {
        pieces = []
        let bytes = Array(source.utf8)
        var text: [UInt8] = []
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            let isDoubled = at + 1 < bytes.count && bytes[at + 1] == byte
            switch byte {
            case UInt8(ascii: "{") where isDoubled, UInt8(ascii: "}") where isDoubled:
                text.append(byte)
                at += 2
            case UInt8(ascii: "{"):
                guard let end = bytes[at...].firstIndex(of: UInt8(ascii: "}")) else {
                    throw Self.bad(place, "{ without }")
                }
                let name = String(decoding: bytes[at + 1..<end], as: UTF8.self)
                let startsWithDigit = name.utf8.first.map { $0 <= UInt8(ascii: "9") } ?? false
                guard name.utf8.allSatisfy(Self.isNameByte), !startsWithDigit else {
                    throw Self.bad(place, "{\(printable(name))}, which is no field name")
                }
                Self.append(text, to: &pieces)
                text = []
                pieces.append(name.isEmpty ? .next : .field(name))
                at = end + 1
            case UInt8(ascii: "}"):
                throw Self.bad(place, "} without {")
            default:
                text.append(byte)
                at += 1
            }
        }
        Self.append(text, to: &pieces)
    }

    private init(pieces: [Piece]) { self.pieces = pieces }

    /// The names in it, in order.
    var fields: [String] {
        pieces.compactMap { if case .field(let name) = $0 { name } else { nil } }
    }

    /// How many `{}` it has.
    var openings: Int { pieces.count { $0 == .next } }

    /// The template filled by name; throws the first name that `field` does not know.
    func filled(_ field: (String) -> String?) throws(MissingField) -> String {
        var result = ""
        for piece in pieces {
            switch piece {
            case .text(let text): result += text
            case .field(let name):
                guard let value = field(name) else { throw MissingField(name: name) }
                result += value
            case .next: break
            }
        }
        return result
    }

    /// The template with its `{}` filled in order; `parts` has as many values as there are openings.
    func filled(_ parts: [Substring]) -> String {
        var result = ""
        var rest = parts[...]
        for piece in pieces {
            switch piece {
            case .text(let text): result += text
            case .field: break
            case .next: result += rest.popFirst() ?? ""
            }
        }
        return result
    }

    /// What is left of this template behind `prefix`; nil if it does not begin with it.
    func dropping(_ prefix: Template) -> Template? {
        guard let last = prefix.pieces.last else { return self }
        let whole = prefix.pieces.count - 1
        guard pieces.count > whole, pieces[..<whole] == prefix.pieces[..<whole] else { return nil }
        guard case .text(let begin) = last, case .text(let text) = pieces[whole] else {
            return pieces[whole] == last ? Template(pieces: Array(pieces[(whole + 1)...])) : nil
        }
        guard text.utf8.starts(with: begin.utf8) else { return nil }
        var rest: [Piece] = []
        Self.append(Array(text.utf8.dropFirst(begin.utf8.count)), to: &rest)
        return Template(pieces: rest + pieces[(whole + 1)...])
    }

    private static func append(_ text: [UInt8], to pieces: inout [Piece]) {
        if !text.isEmpty { pieces.append(.text(String(decoding: text, as: UTF8.self))) }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: byte >= 0x80
        }
    }

    private static func bad(_ place: String, _ found: String) -> TaskError {
        TaskError(
            .badTemplate, place, found: found, remedy: "write {} or {name} for what is filled in, {{ and }} for braces")
    }
}

/// A field that a template names and a history item does not have.
struct MissingField: Error {
    let name: String
}

extension Template: ExpressibleByStringLiteral {
    /// For the built-in tasks, whose templates the tests fill.
    init(stringLiteral source: String) {
        do {
            try self.init(source, place: "built-in template")
        } catch {
            preconditionFailure(error.description)
        }
    }
}
