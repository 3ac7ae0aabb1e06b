/// A name from outside, safe to show in a terminal: control and format characters escaped, at most 80 characters.
public func printable(_ name: String) -> String {
    var shown = ""
    for scalar in name.unicodeScalars.prefix(80) {
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        shown += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return name.unicodeScalars.count > 80 ? shown + "..." : shown
}

/// The entry of `known` that is fewest edits away from `name`; of several the one that begins most alike.
public func nearest(to name: String, in known: [String]) -> String? {
    let wanted = Array(name.lowercased().unicodeScalars.prefix(80))
    return known.map { entry in
        let scalars = Array(entry.lowercased().unicodeScalars)
        let alike = zip(wanted, scalars).prefix { $0 == $1 }.count
        return (entry: entry, rank: (edits(wanted, scalars), -alike))
    }
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
