import FoundationEssentials
import Privacy

/// privacy.json: the record with sorted keys, so that equal records give equal bytes.
///
/// Keys at the top: `schema` (1), `job`, `user`, `task`, `base`, `applies_to` (`{"base": {}}`), `metrics`, `search`,
/// `sharers`, `utility`, `similarity`, `held_out`, `candidates`, `front` (evaluations), `alternatives`, `outcome` (`merged` or
/// `base`), `release` (`{"released": {}}` or `{"held": {"reason": …}}`). Below them:
/// - `search`: `optimizer`, `granularity`, `merge`, `alpha`, `budget`, `evaluations`, `seed`, `history_items`
/// - `sharers`: `id`, `cosine`, `utility`, `weights` (one, or one per layer), `similarity_before`, `similarity_after`,
///   `similarity_of_copy`
/// - `utility`: `base`, `merged`, and by metric `base_metrics`, `merged_metrics`
/// - `similarity`: `before`, `after`
/// - `held_out`: `items`, `base`, `merged`, `sharers`, `recommended` (`utility`, `fitness`, `searched_fitness`),
///   `base_fitness`, `gap`
/// - `candidates`: `evaluation`, `generation`, `weights`, `utility`, `similarity`, `similarities`, `fitness`
/// - `alternatives`: `alpha`, `evaluation`, `utility`, `similarity`
///
/// `held_out` and a sharer's `cosine` are absent where there is none. Numbers have the fewest digits that read back as
/// the same double; those that JSON cannot write are the strings `"nan"`, `"inf"` and `"-inf"`.
public func privacyJSON(_ record: PrivacyRecord) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return Array(try encoder.encode(record)) + [UInt8(ascii: "\n")]
}
