/// What is wrong with a task, a history or a file of either. Never carries text of a history.
public struct TaskError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The bytes are no JSON (or JSON5, for definitions).
        case malformed
        /// A file, a list, a text or the nesting is larger than allowed.
        case tooLarge = "too-large"
        /// NaN, an infinity, or a number beyond a double.
        case notFinite = "not-finite"
        /// A value of another kind than its place needs.
        case wrongType = "wrong-type"
        /// A key or a field that must be there and is not.
        case missingField = "missing-field"
        /// A key that nothing knows.
        case unknownKey = "unknown-key"
        /// An id twice where ids must differ, or a key twice in one object.
        case duplicate
        /// An id that is empty, too long, or holds control characters.
        case badID = "bad-id"
        case emptyHistory = "empty-history"
        /// A user without a profile text where prompts with retrieval need one.
        case missingProfile = "missing-profile"
        /// A query whose input does not have the task's marker.
        case missingMarker = "missing-marker"
        case badTemplate = "bad-template"
        case unknownMetric = "unknown-metric"
        /// Statements of a definition that exclude each other, or an option out of its range.
        case contradiction
    }

    public let code: Code
    /// File, user, item and field, as far as they are known.
    public let place: String
    public let found: String
    public let remedy: String

    public init(_ code: Code, _ place: String, found: String, remedy: String) {
        self.code = code
        self.place = place
        self.found = found
        self.remedy = remedy
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}

/// A name from outside, safe to show in a terminal: control characters escaped, at most 80 characters.
func printable(_ name: String) -> String {
    var text = ""
    for scalar in name.unicodeScalars.prefix(80) {
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        text += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return name.unicodeScalars.count > 80 ? text + "..." : text
}

/// The entry of `known` that is fewest edits away from `name`.
func nearest(to name: String, in known: [String]) -> String? {
    let wanted = Array(name.lowercased().unicodeScalars.prefix(80))
    return known.map { (name: $0, edits: edits(wanted, Array($0.lowercased().unicodeScalars))) }
        .min { $0.edits < $1.edits }?.name
}

/// The Levenshtein distance.
private func edits(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, right) in b.enumerated() {
            let substituted = diagonal + (left == right ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substituted, row[j] + 1, diagonal + 1)
        }
    }
    return row[b.count]
}
