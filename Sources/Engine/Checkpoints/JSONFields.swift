import JSON
import Posix

extension JSONValue {
    /// null, false, "", [] and {}: what a writer puts where it means nothing.
    var isNothing: Bool {
        switch self {
        case .null, .bool(false), .string(""): true
        case .list(let list): list.isEmpty
        case .object(let object): object.members.isEmpty
        default: false
        }
    }

    /// What it is, for messages; long texts are cut.
    var summary: String {
        switch self {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .number(let number): printable(number)
        case .string(let text): "\"\(printable(text))\""
        case .list(let list): list.count == 1 ? "a list of \(list[0].summary)" : "a list of \(list.count)"
        case .object: "an object"
        }
    }

    var asNumber: Double? {
        if case .number(let text) = self { Double(text) } else { nil }
    }

    /// The value as an integer; 500000.0 is one too.
    var asInteger: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text) ?? Double(text).flatMap(Int.init(exactly:))
    }
}

/// An object of a configuration file, and where it is, so that every reading can say what is wrong.
struct JSONFields {
    /// File, and the field that holds this object.
    let place: String
    let object: JSONObject

    /// The value of `name`, nil where it is absent or null.
    subscript(name: String) -> JSONValue? { object[name] }

    func integer(_ name: String) throws(CheckpointError) -> Int? {
        try read(name, "an integer", \.asInteger)
    }

    func number(_ name: String) throws(CheckpointError) -> Double? {
        try read(name, "a number", \.asNumber)
    }

    func flag(_ name: String) throws(CheckpointError) -> Bool? {
        try read(name, "true or false") { if case .bool(let flag) = $0 { flag } else { nil } }
    }

    func text(_ name: String) throws(CheckpointError) -> String? {
        try read(name, "a text") { if case .string(let text) = $0 { text } else { nil } }
    }

    func fields(_ name: String) throws(CheckpointError) -> JSONFields? {
        try read(name, "an object") {
            if case .object(let object) = $0 { JSONFields(place: field(name), object: object) } else { nil }
        }
    }

    /// One integer, or a list of them.
    func integers(_ name: String) throws(CheckpointError) -> [Int]? {
        try read(name, "an integer or a list of them") { value in
            guard case .list(let list) = value else { return value.asInteger.map { [$0] } }
            let integers = list.compactMap(\.asInteger)
            return integers.count == list.count ? integers : nil
        }
    }

    /// All members, which must be texts.
    func texts() throws(CheckpointError) -> [(name: String, text: String)] {
        var texts: [(name: String, text: String)] = []
        for member in object.members {
            guard case .string(let text) = member.value else {
                throw CheckpointError(
                    .malformed, field(member.key), found: member.value.summary, remedy: "give a text")
            }
            texts.append((member.key, text))
        }
        return texts
    }

    /// The place of `name`, for messages.
    func field(_ name: String) -> String {
        place.hasSuffix(".json") ? "\(place): \(printable(name))" : "\(place).\(printable(name))"
    }

    private func read<Value>(
        _ name: String, _ kind: String, _ convert: (JSONValue) -> Value?
    ) throws(CheckpointError) -> Value? {
        guard let value = self[name] else { return nil }
        guard let converted = convert(value) else {
            throw CheckpointError(.malformed, field(name), found: value.summary, remedy: "give \(kind)")
        }
        return converted
    }
}

/// Maps a file of a model or adapter folder; a symbolic link is refused.
func map(_ path: String) throws(CheckpointError) -> MappedFile {
    do {
        return try MappedFile(path)
    } catch {
        throw CheckpointError(opening: path, error)
    }
}

/// Whether there is a file at `path`, a link or an unreadable one included.
func isPresent(_ path: String) throws(CheckpointError) -> Bool {
    do { return try Files.isPresent(path) } catch { throw CheckpointError(opening: path, error) }
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
    return try file.withBytes { (bytes) throws(CheckpointError) in try readJSON(bytes, place: path) }
}

/// Reads `bytes`, which must be one JSON object.
func readJSON(_ bytes: UnsafeRawBufferPointer, place: String) throws(CheckpointError) -> JSONFields {
    let value: JSONValue
    do {
        var reader = try JSONReader(Array(bytes), file: place)
        value = try reader.document()
    } catch {
        throw CheckpointError(.malformed, error.place, found: error.found, remedy: error.remedy)
    }
    guard case .object(let object) = value else {
        throw CheckpointError(.malformed, place, found: value.kind, remedy: "give an object")
    }
    return JSONFields(place: place, object: object)
}
