import JSON

/// A job's words: whom to personalize, from whose adapters, for which task, and how.
public struct JobManifest: Equatable, Sendable {
    /// nil where the file's name is the id.
    public var id: String?
    /// A model's name: a folder below the manifest's own or the `models` root.
    public var base: String
    /// A built-in task, or a definition file's name without `.json`, below the manifest's folder or the `tasks` root.
    public var task: String
    public var sharers: Sharers
    public var targets: Targets
    /// Users of `targets` to personalize; nil for all.
    public var only: [String]?
    public var evolve = Evolve()
    public var privacy = Privacy()
    public var maxNewTokens = 100
    /// The larger, the sooner.
    public var priority = 0
    public var submitter: String?
    /// How long the job may run, all its tries together; nil for as long as the site allows.
    public var seconds: Double?

    public enum Sharers: Equatable, Sendable {
        /// A pool's name, and how many of its members to take.
        case pool(String, top: Int)
        case adapters([NamedAdapter])
    }

    public struct NamedAdapter: Equatable, Sendable {
        public var id: String
        public var adapter: String
    }

    public enum Targets: Equatable, Sendable {
        case file(UsersFile)
        case list([Target])
    }

    /// Many users in few files.
    public struct UsersFile: Equatable, Sendable {
        /// Users in LaMP's shape: a list, one user, or JSON Lines.
        public var users: String
        /// Profile texts by user, `{"USER": "text"}`.
        public var profiles: String?
        /// A safetensors file with a vector a user, named by the user's id.
        public var embeddings: String?

        public init(users: String, profiles: String? = nil, embeddings: String? = nil) {
            self.users = users
            self.profiles = profiles
            self.embeddings = embeddings
        }
    }

    public struct Target: Equatable, Sendable {
        public var user: String
        public var history: Source
        public var queries: Source?
        /// The user's profile text, for prompts with one.
        public var profile: String?
        /// The user's place in the pool's embedding space; nil to have the base encode the history.
        public var embedding: [Float]?
    }

    /// Where a user's data is: in a file, or in the manifest itself.
    public enum Source: Equatable, Sendable {
        case file(String)
        /// JSON text.
        case inline([UInt8])
    }

    public enum Optimizer: String, CaseIterable, Sendable {
        case cmaES = "cma-es"
        case primeCMA = "prime-cma"
    }

    public enum Granularity: String, CaseIterable, Sendable {
        case adapter, layer
    }

    public enum Merge: String, CaseIterable, Sendable {
        case delta, factors
    }

    public struct Evolve: Equatable, Sendable {
        public var optimizer = Optimizer.cmaES
        public var budget = 30
        public var seed: UInt64 = 0
        public var granularity = Granularity.adapter
        public var merge = Merge.delta
        /// Weights stay within plus and minus this.
        public var bound = 1.5
        /// The last so many history items; 0 for all.
        public var recent = 50
        /// A random share of the history prompts.
        public var fraction = 1.0
        /// Whether prompts with retrieved items are added; nil for the task's habit.
        public var retrieval: Bool?
        /// The share of the history that judges the choice; nil for a fifth of longer histories.
        public var holdOut: Double?
        /// nil decodes greedily.
        public var temperature: Double?
    }

    public struct Privacy: Equatable, Sendable {
        public var alpha = 0.1
        /// Likeness above which this job's results are held; the configuration's limit holds as well.
        public var maxSimilarity: Double?
    }
}
