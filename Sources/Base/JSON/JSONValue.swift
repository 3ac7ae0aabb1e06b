/// A JSON value; objects keep their order and have no key twice.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// As written; finite.
    case number(String)
    case string(String)
    case list([JSONValue])
    case object(JSONObject)

    /// The kind in words, for errors.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a text"
        case .list: "a list"
        case .object: "an object"
        }
    }

    /// A text, or a number as Python's `str` writes it; nil for the rest.
    public var text: String? {
        switch self {
        case .string(let text): text
        case .number(let text): numberText(text)
        default: nil
        }
    }
}

/// A JSON object; equal only to one that has the same members in the same order.
public struct JSONObject: Equatable, Sendable {
    /// As they stand in the text. Whoever puts them together sees to it that keys differ.
    public var members: [(key: String, value: JSONValue)]

    public init(members: [(key: String, value: JSONValue)]) { self.members = members }

    /// The value of `key`; null counts as absent.
    public subscript(key: String) -> JSONValue? {
        guard let value = members.first(where: { $0.key == key })?.value, value != .null else { return nil }
        return value
    }

    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.members.elementsEqual(right.members) { $0 == $1 }
    }
}

/// A JSON number as `str(json.loads(text))` writes it: integers by their digits, the rest as the shortest double.
private func numberText(_ text: String) -> String {
    let isInteger = !text.utf8.contains { ".eE".utf8.contains($0) }
    if isInteger { return text == "-0" ? "0" : text }
    guard let value = Double(text) else { return text }
    // Python goes on without an exponent a little longer.
    if (0x1p53..<1e16).contains(abs(value)) { return "\(Int64(value)).0" }
    return "\(value)"
}
