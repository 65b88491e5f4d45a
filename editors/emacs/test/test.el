;;; test.el --- The claims of the README, in the Emacs that runs this  -*- lexical-binding: t -*-

(require 'redraft)
(require 'cl-lib)
(require 'rust-mode)
(require 'markdown-mode)

(setq redraft-program (getenv "REDRAFT_BIN")
      redraft-settings '(:model (:fetch "never"))
      eglot-autoshutdown t
      eglot-sync-connect 30
      eglot-confirm-server-edits nil
      eglot-extend-to-xref nil
      create-lockfiles nil
      make-backup-files nil)

(defun test-sample (name)
  "The text of the file NAME of the sample that all editors share."
  (with-temp-buffer
    (insert-file-contents (expand-file-name (concat "../../sample/" name) (file-name-directory load-file-name)))
    (buffer-string)))

(defconst test-original (test-sample "counter.rs"))
(defconst test-snippet (test-sample "snippet.rs"))
(defconst test-expected (test-sample "edited.rs"))

(defun test-wait (what holds)
  "Wait until HOLDS gives non-nil, and end with an error naming WHAT when it never does."
  (let ((end (+ (float-time) 60)))
    (while (and (not (funcall holds)) (< (float-time) end)) (accept-process-output nil 0.05))
    (unless (funcall holds)
      (message "FAIL waited in vain for %s\n%s" what (buffer-string))
      (kill-emacs 1))))

(defun test-open (name text)
  "Visit a new file NAME with TEXT and start Redraft for it."
  (write-region text nil name nil 'silent)
  (find-file name)
  (if (eglot-current-server)
      (eglot--maybe-activate-editing-mode)
    (redraft-eglot))
  (test-wait "the server" #'eglot-current-server))

(defun test-expect (expected)
  "Wait until the buffer has the text EXPECTED."
  (test-wait "the right text" (lambda () (equal (buffer-string) expected))))

(defun test-undo (expected)
  "Undo once, as `C-/' does, and check that the buffer has the text EXPECTED."
  (let ((last-command nil)) (undo-only))
  (test-expect expected))

;; The code action on the region.
(test-open "action.rs" (concat test-original "\n" test-snippet))
(message "     %s" (plist-get (eglot--server-info (eglot-current-server)) :name))
(goto-char (point-max))
(let* ((start (- (point-max) (length test-snippet)))
       (action (cl-find "Apply suggestion" (eglot-code-actions start (point-max))
                        :key (lambda (action) (plist-get action :title)) :test #'equal)))
  (unless action (message "FAIL no action") (kill-emacs 1))
  (undo-boundary)
  (eglot-execute (eglot-current-server) action)
  (test-expect test-expected)
  (undo-boundary)
  (test-undo (concat test-original "\n" test-snippet))
  (message "ok   the code action on the region, undone in one step"))

;; The command on the region.
(test-open "region.rs" (concat test-original "\n" test-snippet))
(transient-mark-mode 1)
(set-mark (- (point-max) (length test-snippet)))
(goto-char (point-max))
(activate-mark)
(redraft-apply)
(test-expect test-expected)
(message "ok   redraft-apply on the region")

;; The last kill.
(test-open "kill.rs" test-original)
(kill-new (concat "```rust\n" test-snippet "```\n"))
(redraft-apply)
(test-expect test-expected)
(message "ok   redraft-apply of the last kill")

;; The Markdown block at point.
(test-open "target.rs" test-original)
(test-open "chat.md" (concat "In `target.rs`:\n\n```rust\n" test-snippet "```\n"))
(goto-char (point-min))
(search-forward "amount")
(redraft-apply)
(set-buffer (get-file-buffer "target.rs"))
(test-expect test-expected)
(message "ok   redraft-apply of the Markdown block at point")

;; Completion as from any server.
(test-open "completion.rs" "pub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\npub fn subtract(a: u32, b: u32) -> u32 {\n    a -\n}\n")
(goto-char (point-min))
(search-forward "    a -")
(test-wait "the completion"
           (lambda ()
             (completion-at-point)
             (string-search "    a - b\n" (buffer-string))))
(message "ok   completion-at-point")

;; What the server says appears in the echo area.
(defvar test-said nil "What was said since the last question, newest first.")
(advice-add 'message :before
            (lambda (format &rest arguments)
              (when format (push (apply #'format-message format arguments) test-said))))

(defun test-says (command text)
  "Call COMMAND and wait until the echo area has TEXT."
  (setq test-said nil)
  (funcall command)
  (test-wait text (lambda () (cl-some (lambda (line) (string-search text line)) test-said)))
  (message "ok   %s" command))

(test-says #'redraft-status "qwen2.5-coder-0.5b")
(test-says #'redraft-benchmark "tokens/s")
(test-says #'redraft-fetch-model "qwen2.5-coder-0.5b")

;; An error asks which button helps: the person takes the first, "Choose another model", and then the first of the list.
(defvar test-asked nil "What was asked.")
(advice-add 'completing-read :override
            (lambda (question choices &rest _)
              (push question test-asked)
              (let ((first (car choices))) (if (consp first) (car first) first))))
(setq-default eglot-workspace-configuration '(:redraft (:model (:name "nothing.gguf" :fetch "never"))))
(eglot-signal-didChangeConfiguration (eglot-current-server))
(redraft-fetch-model)
(test-wait "the other model" (lambda () (cl-some (lambda (line) (string-search "qwen2.5-coder-0.5b until" line)) test-said)))
(unless (string-search "nothing.gguf does not exist" (car (last test-asked)))
  (message "FAIL asked %S" test-asked)
  (kill-emacs 1))
(message "ok   an error leads to another model")

(redraft-log)
(test-wait "the log" (lambda () (get-buffer "lsp.log")))
(message "ok   redraft-log")

(eglot-shutdown (eglot-current-server))
(message "ok   the end")
(kill-emacs 0)
;;; test.el ends here
