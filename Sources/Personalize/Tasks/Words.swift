// Texts are taken apart by bytes and Unicode scalars, never by Character: prompts must be equal to what Python builds
// byte by byte, and a combining mark after a space or a marker changes where characters begin.

extension Unicode.Scalar {
    /// What Python's `str.isspace` holds for space, and `split()` and `strip()` take away.
    var isPythonSpace: Bool {
        switch value {
        case 0x21...0x7E: false
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }
}

extension String {
    /// Python's `" ".join(text.split()[:count])`.
    func firstWords(_ count: Int) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(utf8.count)
        var words = 0
        var isInside = false
        for scalar in unicodeScalars {
            guard !scalar.isPythonSpace else {
                isInside = false
                continue
            }
            if !isInside {
                guard words < count else { break }
                if words > 0 { result.append(UInt8(ascii: " ")) }
                words += 1
                isInside = true
            }
            result.append(contentsOf: scalar.utf8)
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Python's `text.strip()`.
    func stripped() -> String {
        guard let first = unicodeScalars.firstIndex(where: { !$0.isPythonSpace }),
            let last = unicodeScalars.lastIndex(where: { !$0.isPythonSpace })
        else { return "" }
        return String(unicodeScalars[first...last])
    }

    /// What follows the first `marker`; nil without one.
    func after(_ marker: String) -> Substring? {
        utf8.firstRange(of: marker.utf8).map { self[$0.upperBound...] }
    }

    /// What stands between the first `opening` and the next `closing`; nil without them.
    func between(_ opening: String, _ closing: String) -> Substring? {
        guard let rest = after(opening), let end = rest.utf8.firstRange(of: closing.utf8) else { return nil }
        return rest[..<end.lowerBound]
    }
}
