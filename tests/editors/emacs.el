;; Drives the adapter with dape, and writes what it saw as JSON to the file $SEEN.  -*- lexical-binding: t -*-
(when (< emacs-major-version 29) (require 'compat))
(require 'dape)
(require 'json)
(setq inhibit-startup-screen t dape-cwd-function (lambda () default-directory))
(defvar seen nil)
(defvar problems nil)

(defun until (what predicate)
  "Wait until PREDICATE holds; WHAT is said if it never does."
  (let ((end (+ (float-time) 30)))
    (while (not (funcall predicate))
      (when (> (float-time) end) (error "No %s" what))
      (accept-process-output nil 0.05))))

(defun frame ()
  (when-let ((connection (dape--live-connection 'stopped t)))
    (dape--current-stack-frame connection)))

(defun moves (name move)
  "Call MOVE, and wait until the editor has the frame of another stop."
  (let ((old (frame)))
    (funcall move)
    (until name (lambda () (and (frame) (not (eq (frame) old)))))
    (push (list name (plist-get (frame) :name) (plist-get (frame) :line)) seen)))

(defun types (line)
  (with-current-buffer "*dape-repl*" (goto-char (point-max)) (insert line) (comint-send-input)))

(defun text ()
  (with-current-buffer "*dape-repl*" (buffer-substring-no-properties (point-min) (point-max))))

(defun drive ()
  (condition-case problem
      (progn
        (find-file (getenv "PROGRAM"))
        (add-to-list 'dape-configs
                     `(autograd-mini modes (python-mode python-ts-mode)
                       command ,(getenv "PYTHON") command-args ("-m" "autograd_mini" "dap")
                       :type "autograd-mini" :request "launch" :cwd dape-cwd :program dape-buffer-default))
        (moves "run" (lambda () (dape (dape--config-eval 'autograd-mini nil))))
        (moves "over" (lambda () (dape-next (dape--live-connection 'stopped))))
        (moves "into" (lambda () (dape-step-in (dape--live-connection 'stopped))))
        (moves "back" (lambda () (types "rn")))
        (moves "jump 14" (lambda () (types "jump 14")))
        (types "open softmax")
        (moves " n" (lambda () (types " n")))  ; its own commands come first without a space
        (moves "rn" (lambda () (types "rn")))
        (types "tree")
        (until "tree" (lambda () (string-match-p "└─ a\\[1]" (text)))))
    (error (setq problems (format "%S" problem))))
  (with-temp-file (getenv "SEEN")
    (insert (json-encode `((frames . ,(vconcat (mapcar #'vconcat (reverse seen)))) (console . ,(text)) ,@(and problems `((error . ,problems)))))))
  (kill-emacs))

(run-with-timer 0.5 nil #'drive)
