import Testing

@testable import Evolution

@Suite struct DrawTests {
    /// As another program has them from SplitMix64, xoshiro256** and Marsaglia's polar method.
    static let streams: [UInt64: [Double]] = [
        0: [0.5981026483626094, 1.4634599192204392, -0.8950525532379914, -0.1880627660388742, -2.415606685712082],
        7: [0.9643618527255184, -1.0637531974798475, -0.3039301238656567, -1.0989693210013467, 0.30479435832638674],
    ]

    @Test(arguments: streams)
    func aSeedGivesTheSameNumbersEverywhere(_ seed: UInt64, _ expected: [Double]) {
        var stream = NormalStream(seed: seed)
        for (found, wanted) in zip(stream.vector(expected.count), expected) {
            #expect(abs(found - wanted) <= 1e-15 * abs(wanted))
        }
    }

    @Test(arguments: [
        (-2.0, -2.0), (6, 6), (1.5, 1.5), (7, 5), (-3, -1), (13.5, -1.5), (-9.5, 5.5), (100, -2), (-100, 6),
    ])
    func valuesOutsideBounceOnce(_ value: Double, _ expected: Double) {
        #expect(bounced(value, -2...6) == expected)
    }
}
