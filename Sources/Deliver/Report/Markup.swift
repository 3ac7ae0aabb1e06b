/// Text from a record, harmless in HTML content and in quoted attributes.
///
/// Control characters and the marks that reorder text become U+FFFD: HTML allows neither to be written, and an id
/// must not change how the words beside it read.
func escape(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": escaped += "&amp;"
        case "<": escaped += "&lt;"
        case ">": escaped += "&gt;"
        case "\"": escaped += "&quot;"
        case "'": escaped += "&#39;"
        case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{200e}", "\u{200f}", "\u{2028}"..."\u{202e}",
            "\u{2066}"..."\u{2069}":
            escaped += "\u{fffd}"
        case _ where scalar.value & 0xfffe == 0xfffe || (0xfdd0...0xfdef).contains(scalar.value): escaped += "\u{fffd}"
        default: escaped.unicodeScalars.append(scalar)
        }
    }
    return escaped
}

/// An id in running text, isolated from the direction of the words around it.
func name(_ id: String) -> String { "<bdi>\(escape(id))</bdi>" }

/// At most `count` characters, the middle left out: ids often differ at both ends.
func shortened(_ text: String, to count: Int) -> String {
    guard text.count > count, count > 2 else { return text }
    let tail = (count - 1) / 2
    return "\(text.prefix(count - 1 - tail))…\(text.suffix(tail))"
}

let dash = "–"

/// A value for people: fixed places, a true minus sign, a dash for what is not a number.
func number(_ value: Double, places: Int = 3) -> String {
    guard value.isFinite else { return dash }
    guard value.magnitude < 1e9 else { return "\(value)".replacingMinus }
    return fixed(value, places: places).replacingMinus
}

/// A difference: always with its sign, except for zero.
func signed(_ value: Double, places: Int = 3) -> String {
    let text = number(value, places: places)
    let isZero = text.allSatisfy { "0.".contains($0) }
    return value > 0 && value.isFinite && !isZero ? "+\(text)" : text
}

/// Up to four places, without trailing zeros: settings such as alpha.
func setting(_ value: Double) -> String {
    var text = number(value, places: 4)
    guard text.contains("."), !text.contains("e") else { return text }
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
}

/// A position in a drawing, to a tenth of a unit.
func position(_ value: Double) -> String {
    guard value.isFinite, value.magnitude < 1e9 else { return "0" }
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : fixed(value, places: 1)
}

/// `value` with `places` decimal places and an ASCII minus sign; its magnitude must be below 1e9.
private func fixed(_ value: Double, places: Int) -> String {
    var unit = 1
    for _ in 0..<places { unit *= 10 }
    let scaled = Int((value * Double(unit)).rounded())
    let whole = scaled.magnitude / UInt(unit)
    guard places > 0 else { return "\(scaled < 0 ? "-" : "")\(whole)" }
    let digits = String(scaled.magnitude % UInt(unit))
    return "\(scaled < 0 ? "-" : "")\(whole).\(String(repeating: "0", count: places - digits.count))\(digits)"
}

extension String {
    fileprivate var replacingMinus: String { String(map { $0 == "-" ? "\u{2212}" : $0 }) }
}
