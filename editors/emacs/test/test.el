;;; test.el --- The claims of the README, in the Emacs that runs this  -*- lexical-binding: t -*-

(require 'redraft)
(require 'cl-lib)

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

(define-derived-mode test-rust-mode prog-mode "Rust")
(put 'test-rust-mode 'eglot-language-id "rust")

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
  (test-rust-mode)
  (if (eglot-current-server)
      (eglot--maybe-activate-editing-mode)
    (redraft-eglot))
  (test-wait "the server" #'eglot-current-server))

(defun test-expect (expected)
  "Wait until the buffer has the text EXPECTED."
  (test-wait "the right text" (lambda () (equal (buffer-string) expected))))

;; The code action on the region.
(test-open "action.rs" (concat test-original "\n" test-snippet))
(message "     %s" (plist-get (eglot--server-info (eglot-current-server)) :name))
(goto-char (point-max))
(let* ((start (- (point-max) (length test-snippet)))
       (action (cl-find "Apply suggestion" (eglot-code-actions start (point-max))
                        :key (lambda (action) (plist-get action :title)) :test #'equal)))
  (unless action (message "FAIL no action") (kill-emacs 1))
  (eglot-execute (eglot-current-server) action)
  (test-expect test-expected)
  (message "ok   the code action on the region"))

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

;; What the server says appears in the echo area.
(let (said)
  (cl-letf* ((original (symbol-function 'message))
             ((symbol-function 'message)
              (lambda (format &rest arguments)
                (push (apply #'format-message format arguments) said)
                (apply original format arguments))))
    (redraft-status)
    (test-wait "the status" (lambda () (cl-some (lambda (line) (string-search "qwen2.5-coder-0.5b" line)) said)))))
(message "ok   redraft-status")

(redraft-log)
(test-wait "the log" (lambda () (get-buffer "lsp.log")))
(message "ok   redraft-log")

(eglot-shutdown (eglot-current-server))
(message "ok   the end")
(kill-emacs 0)
;;; test.el ends here
