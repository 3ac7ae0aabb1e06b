/// A name from outside, safe to show in a terminal: escaped, at most 80 characters.
public func printable(_ name: String) -> String {
    let shown = escaped(String(String.UnicodeScalarView(name.unicodeScalars.prefix(80))))
    return name.unicodeScalars.count > 80 ? shown + "..." : shown
}

/// A key, for messages: where an object belongs, somebody may have put their words, and what is no plain name may be those.
public func printableKey(_ key: String) -> String {
    isPlainID(key) ? key : "(a key of \(key.unicodeScalars.count) characters)"
}

/// Text with its control and format characters escaped, so that it is one line and moves no cursor.
public func escaped(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars {
        let isControl = [.control, .format].contains(scalar.properties.generalCategory)
        shown += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return shown
}

/// The entry of `known` that is fewest edits away from `name`, at most `most`; of several the one that begins most alike.
public func nearest(to name: String, in known: [String], within most: Int = .max) -> String? {
    let wanted = Array(name.lowercased().unicodeScalars.prefix(80))
    return known.map { entry in
        let scalars = Array(entry.lowercased().unicodeScalars)
        let alike = zip(wanted, scalars).prefix { $0 == $1 }.count
        return (entry: entry, rank: (edits(wanted, scalars), -alike))
    }
    .filter { $0.rank.0 <= most }
    .min { $0.rank < $1.rank }?.entry
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

// MARK: - Ids

/// The form of an id, for messages.
public let plainIDWords = "1 to 128 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _"

/// Whether `id` is safe as a file name, in a log, in a terminal and as an operand.
public func isPlainID(_ id: String) -> Bool {
    guard let first = id.utf8.first, (1...128).contains(id.utf8.count) else { return false }
    return begins(first) && id.utf8.allSatisfy(follows)
}

/// The id that a name from outside makes: what no id may hold becomes `_`, and what it may not begin with goes.
public func plainID(of name: String) -> String {
    let allowed = name.utf8.prefix(128).map { follows($0) ? $0 : UInt8(ascii: "_") }
    let id = String(decoding: allowed.drop { !begins($0) }, as: UTF8.self)
    return id.isEmpty ? "_" : id
}

private func begins(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
    default: false
    }
}

private func follows(_ byte: UInt8) -> Bool { begins(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") }
