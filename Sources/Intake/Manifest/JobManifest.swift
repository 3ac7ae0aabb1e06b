import JSON

/// A job's words: whom to personalize, from whose adapters, for which task, and how.
public struct JobManifest: Equatable, Sendable {
    /// nil where the file's name is the id.
    public var id: String?
    /// A model's name: a folder below the manifest's own or the `models` root.
    public var base: String
    /// A built-in task, or a definition file's name without `.json`, below the manifest's folder or the `tasks` root.
    public var task: String
    /// Whose adapters are merged.
    public var sharers: Sharers
    /// Whom to personalize; at least one user, each once.
    public var targets: Targets
    /// Users of `targets` to personalize; nil for all.
    public var only: [String]?
    /// How the weights are searched.
    public var evolve = Evolve()
    /// What likeness to the sharers costs, and how much of it may be released.
    public var privacy = Privacy()
    /// `generate.max_new_tokens`: tokens of a prediction at most, 1 to 4096.
    public var maxNewTokens = 100
    /// From -100 to 100; the larger, the sooner.
    public var priority = 0
    /// An id: the jobs of one owner take turns by it; nil for `uid:N` of the owner.
    public var submitter: String?
    /// `limits.seconds`: how long the job may run, all its tries together; nil for as long as the site allows.
    public var seconds: Double?

    /// Where the adapters come from.
    public enum Sharers: Equatable, Sendable {
        /// A pool's name, and how many of its members to take.
        case pool(String, top: Int)
        /// 1 to 64 adapters, all of which are merged; ids differ.
        case adapters([NamedAdapter])
    }

    /// A sharer whose adapter the manifest names itself.
    public struct NamedAdapter: Equatable, Sendable {
        /// The sharer's in results, unless the adapter lies in a pool: then it is the member's.
        public var id: String
        /// A PEFT folder below the manifest's own or the `pools` root.
        public var adapter: String
    }

    /// Where the users are: in files of many, or each in the manifest.
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

    /// One user to personalize.
    public struct Target: Equatable, Sendable {
        /// The user's id, see `isUserID`; it names the folder of the user's result.
        public var user: String
        /// At least one item, oldest first.
        public var history: Source
        /// What to answer with the result; nil for nothing.
        public var queries: Source?
        /// The user's profile text, for prompts with one.
        public var profile: String?
        /// The user's place in the pool's embedding space; nil to have the base encode the history.
        public var embedding: [Float]?
    }

    /// Where a user's data is: in a file, or in the manifest itself.
    public enum Source: Equatable, Sendable {
        /// A path below the manifest's folder or the `histories` root.
        case file(String)
        /// JSON text.
        case inline([UInt8])
    }

    /// The search, as `evolve.optimizer` names it.
    public enum Optimizer: String, CaseIterable, Sendable {
        /// CMA-ES with full covariance.
        case cmaES = "cma-es"
        /// The bounded, diagonal variant that the reference code runs.
        case primeCMA = "prime-cma"
    }

    /// What has a weight of its own: each sharer's adapter, or each of its layers.
    public enum Granularity: String, CaseIterable, Sendable {
        case adapter, layer
    }

    /// What the weights sum: the products B A, or A and B each.
    public enum Merge: String, CaseIterable, Sendable {
        case delta, factors
    }

    /// The section `evolve`: the search, and what of the history it sees.
    public struct Evolve: Equatable, Sendable {
        public var optimizer = Optimizer.cmaES
        /// Candidates that are evaluated, 1 to 100,000.
        public var budget = 30
        /// Of the job; with the user's id it makes each user's own.
        public var seed: UInt64 = 0
        public var granularity = Granularity.adapter
        public var merge = Merge.delta
        /// Weights stay within plus and minus this.
        public var bound = 1.5
        /// The last so many history items, at most 100,000; 0 for all.
        public var recent = 50
        /// A random share of the history prompts, from 0.001 to 1.
        public var fraction = 1.0
        /// Whether prompts with retrieved items are added; nil for the task's habit.
        public var retrieval: Bool?
        /// The share of the history that judges the choice, from 0 to 0.9; nil for a fifth of longer histories.
        public var holdOut: Double?
        /// nil decodes greedily.
        public var temperature: Double?
    }

    /// The section `privacy`.
    public struct Privacy: Equatable, Sendable {
        /// The privacy coefficient, 0 to 100: by how much the mean likeness to the sharers lowers a candidate's fitness.
        public var alpha = 0.1
        /// Likeness above which this job's results are held; the configuration's limit holds as well.
        public var maxSimilarity: Double?
    }
}
