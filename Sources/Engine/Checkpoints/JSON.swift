/// A JSON value; objects keep their members in the file's order, which PEFT's patterns depend on.
enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case list([JSONValue])
    case object([JSONMember])

    /// null, false, "", [] and {}: what a writer puts where it means nothing.
    var isNothing: Bool {
        switch self {
        case .null, .bool(false), .string(""): true
        case .list(let list): list.isEmpty
        case .object(let members): members.isEmpty
        default: false
        }
    }

    /// What it is, for messages; long texts are cut.
    var summary: String {
        switch self {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .string(let text): "\"\(printable(text))\""
        case .list(let list): list.count == 1 ? "a list of \(list[0].summary)" : "a list of \(list.count)"
        case .object: "an object"
        }
    }

    /// The value as a number, integers included.
    var asNumber: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    /// The value as an integer; 500000.0 is one too.
    var asInteger: Int? {
        switch self {
        case .integer(let number): number
        case .number(let number): Int(exactly: number)
        default: nil
        }
    }
}

/// One name and its value in an object.
struct JSONMember: Equatable, Sendable {
    let name: String
    let value: JSONValue
}

/// An object of a configuration file, and where it is, so that every reading can say what is wrong.
struct JSONFields {
    /// File, and the field that holds this object.
    let place: String
    let members: [JSONMember]

    /// The value of `name`, nil where it is absent or null.
    subscript(name: String) -> JSONValue? {
        guard let value = members.first(where: { $0.name == name })?.value, value != .null else { return nil }
        return value
    }

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
            if case .object(let members) = $0 { JSONFields(place: field(name), members: members) } else { nil }
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

/// `text` as a JSON string.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\u{0}"..<"\u{20}":
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

/// A name from outside, safe to show in a terminal: control characters escaped, at most 120 characters.
func printable(_ name: String) -> String {
    var text = ""
    for scalar in name.unicodeScalars.prefix(120) {
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        text += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return name.unicodeScalars.count > 120 ? text + "..." : text
}
