import JSON

/// Mistakes found so far; shared by the readers of a file's parts.
final class Mistakes {
    private(set) var found: [Mistake] = []

    /// Past this many a file is not worth listing further.
    static let most = 100

    func add(_ mistake: Mistake) { if found.count < Self.most { found.append(mistake) } }
}

/// An object being read: each field is taken once, and what is left over is unknown.
struct Fields {
    let object: JSONObject
    let place: String
    let mistakes: Mistakes

    init(_ object: JSONObject, place: String, mistakes: Mistakes, known: [String]) {
        self.object = object
        self.place = place
        self.mistakes = mistakes
        for (key, _) in object.members where !known.contains(key) {
            mistakes.add(
                Mistake(
                    .unknownKey, path(printable(key)), found: "an unknown key",
                    remedy: nearest(to: key, in: known).map { "did you mean \($0)?" } ?? "leave it out"))
        }
    }

    func path(_ key: String) -> String { place.hasSuffix(":") ? "\(place) \(key)" : "\(place).\(key)" }

    func wrong(_ key: String, _ value: JSONValue, _ wanted: String) {
        mistakes.add(Mistake(.wrongType, path(key), found: value.kind, remedy: "write \(wanted)"))
    }

    func missing(_ key: String, _ wanted: String) {
        mistakes.add(Mistake(.missing, path(key), found: "nothing", remedy: "write \(wanted)"))
    }

    func text(_ key: String) -> String? {
        guard let value = object[key] else { return nil }
        guard case .string(let text) = value else {
            wrong(key, value, "a text")
            return nil
        }
        return text
    }

    func requiredText(_ key: String, _ wanted: String) -> String? {
        if object[key] == nil { missing(key, wanted) }
        return text(key)
    }

    func bool(_ key: String) -> Bool? {
        guard let value = object[key] else { return nil }
        guard case .bool(let bool) = value else {
            wrong(key, value, "true or false")
            return nil
        }
        return bool
    }

    func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = object[key] else { return nil }
        guard case .number(let text) = value, let number = Int(text) else {
            wrong(key, value, "a whole number of \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        guard range.contains(number) else {
            mistakes.add(
                Mistake(
                    .outOfRange, path(key), found: "\(number)",
                    remedy: "write a whole number of \(range.lowerBound) to \(range.upperBound)"))
            return nil
        }
        return number
    }

    func seed(_ key: String) -> UInt64? {
        guard let value = object[key] else { return nil }
        guard case .number(let text) = value, let number = UInt64(text) else {
            wrong(key, value, "a whole number of 0 to \(UInt64.max)")
            return nil
        }
        return number
    }

    func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        guard let value = object[key] else { return nil }
        guard case .number(let text) = value, let number = Double(text) else {
            wrong(key, value, "a number of \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        guard range.contains(number) else {
            mistakes.add(
                Mistake(
                    .outOfRange, path(key), found: "\(number)",
                    remedy: "write a number of \(range.lowerBound) to \(range.upperBound)"))
            return nil
        }
        return number
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Choice.Type
    ) -> Choice? where Choice.RawValue == String {
        guard let name = text(key) else { return nil }
        guard let choice = Choice(rawValue: name) else {
            let names = Choice.allCases.map(\.rawValue)
            mistakes.add(
                Mistake(
                    .outOfRange, path(key), found: "\"\(printable(name))\"",
                    remedy: "did you mean \(nearest(to: name, in: names) ?? "")? Known are "
                        + names.joined(separator: ", ")))
            return nil
        }
        return choice
    }

    /// An id of 1 to 128 of `A-Z a-z 0-9 . _ -` that begins with a letter, a digit or `_`.
    func id(_ key: String) -> String? {
        guard let value = object[key] else { return nil }
        guard let id = value.text else {
            wrong(key, value, "an id: a text or a whole number")
            return nil
        }
        guard isPlainID(id) else {
            mistakes.add(
                Mistake(
                    .badID, path(key), found: "\"\(printable(id))\"",
                    remedy: "write 1 to 128 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _"))
            return nil
        }
        return id
    }

    /// A path below a folder: relative, without `..`, NUL or backslash.
    func file(_ key: String) -> String? {
        guard let path = text(key) else { return nil }
        return checked(path, key)
    }

    func checked(_ file: String, _ key: String) -> String? {
        guard isPathBelow(file) else {
            mistakes.add(
                Mistake(
                    .escape, path(key), found: "\"\(printable(file))\"",
                    remedy: "name a file below the manifest's folder or a configured root, without .. in its path"))
            return nil
        }
        return file
    }

    func section(_ key: String, known: [String]) -> Fields? {
        guard let value = object[key] else { return nil }
        guard case .object(let object) = value else {
            wrong(key, value, "an object")
            return nil
        }
        return Fields(object, place: path(key), mistakes: mistakes, known: known)
    }
}

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

/// Whether a path stays below the folder that it is relative to, as far as its words say; symbolic links are the
/// opener's to refuse.
public func isPathBelow(_ path: String) -> Bool {
    guard !path.isEmpty, path.utf8.count <= 4096, !path.hasPrefix("/"), !path.utf8.contains(0), !path.contains("\\")
    else { return false }
    return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
        !$0.isEmpty && $0 != "." && $0 != ".."
    }
}

extension JSONValue {
    /// The value as JSON text, for readers of the parts of a manifest that carry a user's data inline.
    var encoded: [UInt8] {
        var text: [UInt8] = []
        write(to: &text)
        return text
    }

    private func write(to text: inout [UInt8]) {
        switch self {
        case .null: text += "null".utf8
        case .bool(let bool): text += (bool ? "true" : "false").utf8
        case .number(let number): text += number.utf8
        case .string(let string): Self.write(string, to: &text)
        case .list(let list):
            text.append(UInt8(ascii: "["))
            for (index, value) in list.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                value.write(to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let object):
            text.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                Self.write(member.key, to: &text)
                text.append(UInt8(ascii: ":"))
                member.value.write(to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ string: String, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): text += "\\\"".utf8
            case UInt8(ascii: "\\"): text += "\\\\".utf8
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                text += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}
