import JSON

/// Mistakes found so far; shared by the readers of a file's parts.
final class Mistakes {
    private(set) var found: [Mistake] = []

    /// Past this many a file is not worth looking through further.
    static let most = 100

    var isFull: Bool { found.count >= Self.most }

    func add(_ code: Mistake.Code, _ place: String, found: String, remedy: String) {
        if !isFull { self.found.append(Mistake(code, place, found: found, remedy: remedy)) }
    }

    /// Throws what was found, if anything was.
    func check(id: String? = nil) throws(ManifestError) {
        guard found.isEmpty else { throw ManifestError(found, id: id) }
    }
}

/// The fields of an object: each reader notes what is wrong with a field and answers nil.
struct Fields {
    let object: JSONObject
    let mistakes: Mistakes
    /// What stands before a key in a place: the file, and the objects around.
    private let prefix: String

    /// The object that a file consists of.
    init(_ bytes: [UInt8], file: String, json5: Bool = false, known: [String]) throws(ManifestError) {
        let value: JSONValue
        do {
            var reader = try JSONReader(bytes, file: file, json5: json5)
            value = try reader.document()
        } catch {
            throw ManifestError([
                Mistake(
                    error.code == .duplicate ? .duplicate : .malformed, error.place, found: error.found,
                    remedy: error.remedy)
            ])
        }
        guard case .object(let object) = value else {
            throw ManifestError([Mistake(.wrongType, file, found: value.kind, remedy: "write an object")])
        }
        self.init(file: file, object, known: known)
    }

    /// The object in a file, or in what stands in for one.
    init(file: String, _ object: JSONObject, known: [String]) {
        self.init(object, prefix: "\(file): ", mistakes: Mistakes(), known: known)
    }

    private init(_ object: JSONObject, prefix: String, mistakes: Mistakes, known: [String]) {
        self.object = object
        self.prefix = prefix
        self.mistakes = mistakes
        for (key, _) in object.members where !known.contains(key) && !mistakes.isFull {
            mistakes.add(
                .unknownKey, place(printableKey(key)), found: "an unknown key",
                remedy: nearest(to: key, in: known).map { "did you mean \($0)?" } ?? "leave it out")
        }
    }

    /// The object at `key`; nil where there is none.
    func section(_ key: String, known: [String]) -> Fields? {
        object[key].flatMap { element($0, key, "an object", known: known) }
    }

    /// The object that `value` is, which stands at `key`.
    func element(_ value: JSONValue, _ key: String, _ wanted: String, known: [String]) -> Fields? {
        guard case .object(let object) = value else {
            wrongType(key, value, wanted)
            return nil
        }
        return Fields(object, prefix: "\(place(key)).", mistakes: mistakes, known: known)
    }

    // MARK: - Mistakes

    func place(_ key: String) -> String { prefix + key }

    func wrong(_ code: Mistake.Code, _ key: String, found: String, remedy: String) {
        mistakes.add(code, place(key), found: found, remedy: remedy)
    }

    func wrongType(_ key: String, _ value: JSONValue, _ wanted: String) {
        wrong(.wrongType, key, found: value.shown, remedy: "write \(wanted)")
    }

    /// Notes that `key` is missing, where it is.
    func require(_ key: String, _ wanted: String) {
        if object[key] == nil { wrong(.missing, key, found: "nothing", remedy: "write \(wanted)") }
    }

    // MARK: - Values

    func text(_ key: String) -> String? {
        guard let value = object[key] else { return nil }
        guard case .string(let text) = value else {
            wrongType(key, value, "a text")
            return nil
        }
        return text
    }

    func flag(_ key: String) -> Bool? {
        guard let value = object[key] else { return nil }
        guard case .bool(let flag) = value else {
            wrongType(key, value, "true or false")
            return nil
        }
        return flag
    }

    func integer<Number: FixedWidthInteger>(_ key: String, in range: ClosedRange<Number>) -> Number? {
        guard let value = object[key] else { return nil }
        let wanted = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard case .number(let text) = value else {
            wrongType(key, value, wanted)
            return nil
        }
        guard let number = Number(text), range.contains(number) else {
            wrong(.outOfRange, key, found: value.shown, remedy: "write \(wanted)")
            return nil
        }
        return number
    }

    func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        guard let value = object[key] else { return nil }
        let wanted = "a number from \(plain(range.lowerBound)) to \(plain(range.upperBound))"
        guard case .number(let text) = value, let number = Double(text) else {
            wrongType(key, value, wanted)
            return nil
        }
        guard range.contains(number) else {
            wrong(.outOfRange, key, found: value.shown, remedy: "write \(wanted)")
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
            let hint = names.count > 1 ? nearest(to: name, in: names).map { "did you mean \($0)? " } ?? "" : ""
            wrong(
                .outOfRange, key, found: "\"\(printable(name))\"",
                remedy: "\(hint)Known: \(names.joined(separator: ", "))")
            return nil
        }
        return choice
    }

    /// A name that is safe as a file's, in a log and in a terminal, see `isPlainID`.
    func id(_ key: String) -> String? {
        guard let value = object[key] else { return nil }
        guard let id = value.text else {
            wrongType(key, value, "an id: a text or a whole number")
            return nil
        }
        guard isPlainID(id) else {
            wrong(.badID, key, found: "\"\(printable(id))\"", remedy: "write \(plainIDWords)")
            return nil
        }
        return id
    }

    /// A path below a folder, see `escape(of:)`.
    ///
    /// - Parameters:
    ///   - folder: what it is relative to, in words.
    ///   - mayBeText: whether somebody may have written a history's text there: then no message shows what is no plain path.
    func path(
        _ key: String, below folder: String = "the manifest's folder or a configured root", mayBeText: Bool = false
    ) -> String? {
        guard let path = text(key) else { return nil }
        if let escape = escape(of: path) {
            let shown = mayBeText && !isPlainPath(path) ? "a path" : "\"\(printable(path))\""
            wrong(
                .escape, key, found: "\(shown), \(escape)",
                remedy: "write a path below \(folder)")
            return nil
        }
        return path
    }
}

extension JSONValue {
    /// What is shown of a value in a message: a text only by its kind, since it may be somebody's history.
    fileprivate var shown: String {
        switch self {
        case .number(let text): printable(text)
        case .bool(let flag): "\(flag)"
        case .list(let list) where list.isEmpty: "an empty list"
        default: kind
        }
    }
}

/// A number without the `.0` of whole ones.
private func plain(_ number: Double) -> String { Int(exactly: number).map { "\($0)" } ?? "\(number)" }
