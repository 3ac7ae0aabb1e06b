import FoundationEssentials
import Privacy

/// privacy.json: the record with sorted keys, so that equal records give equal bytes.
public func privacyJSON(_ record: PrivacyRecord) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return Array((try? encoder.encode(record)) ?? Data()) + [UInt8(ascii: "\n")]
}

/// report.html
public func reportHTML(_ record: PrivacyRecord) -> [UInt8] { Array("<!doctype html>\n".utf8) }
