! SPDX-License-Identifier: GPL-2.0
!
! Fortran with OpenMP: threads, a reduction, input that is read.
program omp
  use omp_lib
  implicit none
  integer, parameter :: n = 200000
  integer :: i, threads, unit, status, value, total
  real(8) :: s
  real(8), allocatable :: x(:)

  allocate(x(n))
  threads = 0
  s = 0
!$omp parallel
!$omp single
  threads = omp_get_num_threads()
!$omp end single
!$omp do reduction(+:s)
  do i = 1, n
     x(i) = 1.0d0 / i
     s = s + x(i)
  end do
!$omp end do
!$omp end parallel

  total = 0
  open(newunit=unit, file='input.txt', status='old', action='read')
  do
     read(unit, *, iostat=status) value
     if (status /= 0) exit
     total = total + value
  end do
  close(unit)

  print '(a, i0, a, f0.9, a, i0)', 'omp threads=', threads, ' sum=', s, ' input=', total
end program
