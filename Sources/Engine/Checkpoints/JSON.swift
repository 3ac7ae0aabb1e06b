import FoundationEssentials
import Posix

/// A key that is known only when the file is read.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// A JSON value of unknown kind, for fields whose mere presence matters.
enum JSONValue: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let list = try? value.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSONValue].self))
        }
    }

    /// null, false, "", [] and {}: what a writer puts where it means nothing.
    var isNothing: Bool {
        switch self {
        case .null, .bool(false), .string(""): true
        case .list(let list): list.isEmpty
        case .object(let object): object.isEmpty
        default: false
        }
    }
}

/// Reads a small JSON file of a model or adapter folder.
///
/// - Parameter limit: larger files are refused before they are read.
func readJSON<Value: Decodable>(
    _ type: Value.Type, _ path: String, limit: Int = 16 << 20
) throws(CheckpointError) -> Value {
    let file: MappedFile
    do {
        file = try MappedFile(path, followLinks: false)
    } catch {
        throw CheckpointError(
            .unreadable, path, found: error.description, remedy: "give a regular file that primed may read")
    }
    guard file.bytes.count <= limit else {
        throw CheckpointError(
            .malformed, path, found: "\(file.bytes.count) bytes", remedy: "such a file has at most \(limit)")
    }
    let bytes = file.contents
    guard try nesting(of: bytes, place: path) <= 32 else {
        throw CheckpointError(.malformed, path, found: "JSON nested deeper than 32", remedy: "write the file again")
    }
    do {
        return try JSONDecoder().decode(type, from: Data(bytes))
    } catch {
        throw CheckpointError(.malformed, path, found: describe(error), remedy: "correct the file's JSON")
    }
}

/// The deepest nesting of brackets outside strings; decoders recurse, so it is bounded before they see the text.
func nesting(of json: [UInt8], place: String) throws(CheckpointError) -> Int {
    var depth = 0
    var deepest = 0
    var inString = false
    var escaped = false
    for byte in json {
        if inString {
            if escaped {
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "\"") {
                inString = false
            }
            continue
        }
        switch byte {
        case UInt8(ascii: "\""): inString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            deepest = max(deepest, depth)
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
    }
    guard !inString, depth == 0 else {
        throw CheckpointError(.malformed, place, found: "JSON that ends early", remedy: "copy the file again")
    }
    return deepest
}

/// A decoding error in one line, with the path of the field.
func describe(_ error: any Error) -> String {
    func path(_ context: DecodingError.Context) -> String {
        let names = context.codingPath.map { $0.intValue.map(String.init) ?? printable($0.stringValue) }
        return names.isEmpty ? "" : "\(names.joined(separator: ".")): "
    }
    switch error as? DecodingError {
    case .keyNotFound(let key, let context): return "\(path(context))no \(key.stringValue)"
    case .typeMismatch(let type, let context): return "\(path(context))not of type \(type)"
    case .valueNotFound(let type, let context): return "\(path(context))null where \(type) belongs"
    case .dataCorrupted(let context): return "\(path(context))\(context.debugDescription)"
    default: return "no JSON that can be read"
    }
}

/// A name from outside, safe to show in a terminal: control characters escaped, at most 120 characters.
public func printable(_ name: String) -> String {
    var text = ""
    for scalar in name.unicodeScalars.prefix(120) {
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        text += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return name.unicodeScalars.count > 120 ? text + "..." : text
}
