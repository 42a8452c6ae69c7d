---@meta
-- The shapes that cross module borders. Nothing requires this file; it is for the language server.

---@class auto_context.Error
---@field code string a key of `auto_context.errors`.levels
---@field message string what happened, one line
---@field hint string what to do about it, one line; may be empty

---@class auto_context.Hit
---@field path string relative to the request's root
---@field start_line integer 1-based
---@field end_line integer included
---@field focus integer[] first and last of the lines that matter most
---@field symbol string `Class.method`, `Heading > Sub`, or empty
---@field kind string function, class, heading, ...
---@field language string
---@field score number
---@field legs string[] which of lexical, path, static and vector found it
---@field fresh boolean false when the file changed since it was indexed
---@field text string
---@field last_commit? { time: integer, subject: string } of its file
---@field copy? boolean among similar code: it is the same code again
---@field unsaved? boolean found in a buffer's text that is not saved
---@field reason? 'open'|'recent'|'near'|'committed' why a file stands under an empty prompt
---@field explain? table how it came to its place, when asked for

---@class auto_context.Like code that other code should be like
---@field path string absolute
---@field line? integer

---@class auto_context.Similar reply of the `similar` method
---@field root string
---@field branch string
---@field path string
---@field start_line integer
---@field end_line integer
---@field took_ms number
---@field legs table<string, auto_context.LegState>
---@field hits auto_context.Hit[]
---@field copies auto_context.Hit[]

---@class auto_context.ContextItem one snippet
---@field path string relative to the root
---@field start_line integer 1-based
---@field end_line integer included
---@field symbol string
---@field kind string
---@field language string
---@field score number
---@field reason string `here`, `selected`, `picked`, `defines NAME`, `similar` or `tests NAME`
---@field tokens integer of the snippet as Markdown
---@field text string

---@class auto_context.ContextReply reply of the `context` method
---@field root string
---@field branch string
---@field path string
---@field line integer
---@field budget integer
---@field tokens integer
---@field exact boolean whether the model's tokenizer counted
---@field took_ms number
---@field items auto_context.ContextItem[]
---@field markdown string

-- Legs: lexical (words), path (names), static (pooled vectors of words: a coarse meaning, at once), vector (the
-- transformer's: the precise one).
---@alias auto_context.LegState 'ok'|'partial'|'pending'|'loading'|'down'|'empty'|'off'

---@class auto_context.Reply
---@field query string
---@field root string
---@field branch string
---@field took_ms number
---@field legs table<string, auto_context.LegState>
---@field coverage table<string, number> share of the chunks that each leg can find
---@field hits auto_context.Hit[]
---@field terms? string[] lower case: what begins with one of them is worth highlighting

---@class auto_context.SearchParams
---@field query string
---@field root string absolute
---@field limit? integer else that of the settings
---@field path? string glob on the hit's path
---@field language? string
---@field paths? string[] only these files, relative to root
---@field tests? 'with'|'without'|'only'
---@field threshold? number smallest score as a share of the best one's; else that of the settings
---@field wait_ms? integer how long to wait for legs that are not ready
---@field near? string path, relative to root, of the file a person looks at
---@field per_file? integer hits of one file among the first ten
---@field explain? boolean

---@class auto_context.Progress
---@field root string
---@field job string
---@field state string
---@field phase 'scan'|'chunk'|'static'|'embed'|'done' from `embed` on everything can be found
---@field files_done integer of those to read
---@field files_total integer
---@field chunks_done integer with a vector of the transformer
---@field chunks_total integer
---@field percent number
---@field eta_s? number while files are read, of the reading alone
---@field coverage table<string, number> share of the chunks that each leg can find; empty while files are looked for
---@field tokens_per_s integer
---@field paused? string why it stands still

---@class auto_context.Indexed data of the `AutoContextIndexed` event
---@field root string
---@field branch? string
---@field job string
---@field kind string update or incremental
---@field report? table what the update did
---@field error? auto_context.Error

---@class auto_context.Status reply of the `status` method
---@field service table
---@field repository? table
---@field job? table

---@class auto_context.Box a window's place, without its border
---@field row integer 0-based
---@field col integer 0-based
---@field width integer
---@field height integer

---@class auto_context.Layout
---@field border integer thickness of a window's border in cells
---@field prompt auto_context.Box
---@field list auto_context.Box
---@field preview? auto_context.Box

---@class auto_context.Span
---@field first integer 0-based byte
---@field last integer 0-based byte, excluded
---@field group string highlight group
